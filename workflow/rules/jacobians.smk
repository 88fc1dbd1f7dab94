rule jacobians:
    input:
        rollout=PER_SEED["rollouts"],
        code=sources("jacobians"),
    output:
        store=directory(PER_SEED["jacobians"]),
    log:
        "results/logs/jacobians/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/jacobians/{task}-{policy}-{method}-{seed}.tsv"
    priority: first_seeds_first(STUDY.seeds)
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=lambda wildcards: studies.jacobian_settings(
            STUDY, wildcards.policy, wildcards.method
        ),
    shell:
        "python -m dynamic_sparsity.stages.jacobians"
        " --settings {params.settings:q}"
        " --rollout {input.rollout:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
