rule ablation:
    input:
        jacobians=lambda wildcards: expand(
            PER_SEED["jacobians"],
            task=wildcards.task,
            policy=wildcards.policy,
            method=STUDY.ablation.compared,
            seed=STUDY.seeds[: STUDY.ablation.seeds],
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
