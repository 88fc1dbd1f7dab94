rule rollouts:
    input:
        expert=trained_expert,
    output:
        store=directory(PER_SEED["rollouts"]),
    log:
        "results/logs/rollouts/{task}-{policy}-{seed}.log",
    benchmark:
        "results/benchmarks/rollouts/{task}-{policy}-{seed}.tsv"
    priority: by_task("task", "policy", "seed")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("rollouts"),
        runtime=minutes("rollouts"),
    params:
        settings=settings("rollouts"),
        code=lambda wildcards: code(
            "rollouts", f"dynamic_sparsity.simulation.policies.{wildcards.policy}"
        ),
        expert=expert_checksum,
        expert_file=expert_file,
    shell:
        "python -m dynamic_sparsity.stages.rollouts"
        " --settings {params.settings:q}"
        " --task {wildcards.task}"
        " --policy {wildcards.policy}"
        " --seed {wildcards.seed}"
        " --expert {params.expert_file:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
