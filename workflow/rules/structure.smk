rule structure:
    input:
        rollouts=structure_rollouts,
    output:
        store=directory(PER_POLICY["structure"]),
    log:
        "results/logs/structure/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/structure/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("structure"),
        runtime=minutes("structure"),
    params:
        settings=settings("structure"),
        code=code("structure"),
    shell:
        "python -m dynamic_sparsity.stages.structure"
        " --settings {params.settings:q}"
        " --rollouts {input.rollouts:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
