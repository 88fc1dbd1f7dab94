rule sparsity:
    input:
        jacobian=PER_SEED["jacobians"],
    output:
        store=directory(PER_SEED["sparsity"]),
    log:
        "results/logs/sparsity/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/sparsity/{task}-{policy}-{method}-{seed}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("sparsity"),
        runtime=minutes("sparsity"),
    params:
        settings=settings("sparsity"),
        code=code("sparsity"),
    shell:
        "python -m dynamic_sparsity.stages.sparsity"
        " --settings {params.settings:q}"
        " --jacobian {input.jacobian:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule summary:
    input:
        sparsity=all_seeds("sparsity"),
    output:
        store=directory(PER_POLICY["summary"]),
    log:
        "results/logs/summary/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/summary/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("summary"),
        runtime=minutes("summary"),
    params:
        settings=settings("summary"),
        code=code("summary"),
    shell:
        "python -m dynamic_sparsity.stages.summary"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
