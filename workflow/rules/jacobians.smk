rule jacobians:
    input:
        rollout=PER_SEED["rollouts"],
        code=sources("jacobians"),
    output:
        store=directory(PER_SEED["jacobians"]),
    params:
        settings=settings("jacobians"),
    log:
        "results/logs/jacobians/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/jacobians/{task}-{policy}-{method}-{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    priority: first_seeds_first
    shell:
        "python -m dynamic_sparsity.stages.jacobians"
        " --settings {params.settings:q}"
        " --rollout {input.rollout:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
