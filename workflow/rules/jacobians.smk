rule jacobians:
    input:
        rollout=rollout_store,
    output:
        store=directory(PER_SEED["jacobians"]),
    log:
        "results/logs/jacobians/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/jacobians/{task}-{policy}-{method}-{seed}.tsv"
    priority: by_task("task", "policy", "seed")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("jacobians"),
        runtime=minutes("jacobians"),
        gpu=accelerators("jacobians"),
    params:
        settings=settings("jacobians"),
        code=code("jacobians"),
    shell:
        "python -m dynamic_sparsity.stages.jacobians"
        " --settings {params.settings:q}"
        " --rollout {input.rollout:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
