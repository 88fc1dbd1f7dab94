rule ablation_jacobians:
    input:
        rollout=PER_SEED["rollouts"],
    output:
        store=directory(PER_SEED["ablation_jacobians"]),
    log:
        "results/logs/ablation_jacobians/{task}-{policy}-{seed}.log",
    benchmark:
        "results/benchmarks/ablation_jacobians/{task}-{policy}-{seed}.tsv"
    priority: -1  # only the tables and figures of the ablation wait for it
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("ablation_jacobians"),
        runtime=minutes("ablation_jacobians"),
    params:
        settings=settings("ablation_jacobians"),
        code=code("ablation_jacobians"),
    shell:
        "python -m dynamic_sparsity.stages.ablation_jacobians"
        " --settings {params.settings:q}"
        " --rollout {input.rollout:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule ablation:
    input:
        jacobians=lambda wildcards: PATHS.stores(
            "ablation_jacobians", task=wildcards.task, policy=wildcards.policy
        ),
    output:
        store=directory(PER_POLICY["ablation"]),
    log:
        "results/logs/ablation/{task}-{policy}.log",
    benchmark:
        "results/benchmarks/ablation/{task}-{policy}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("ablation"),
        runtime=minutes("ablation"),
    params:
        settings=settings("ablation"),
        code=code("ablation"),
    shell:
        "python -m dynamic_sparsity.stages.ablation"
        " --settings {params.settings:q}"
        " --jacobian {input.jacobians:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
