rule durations:
    input:
        sparsity=PER_SEED["sparsity"],
    output:
        store=directory(PER_SEED["durations"]),
    log:
        "results/logs/durations/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/durations/{task}-{policy}-{method}-{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("durations"),
        runtime=minutes("durations"),
    params:
        settings=settings("durations"),
        code=code("durations"),
    shell:
        "python -m dynamic_sparsity.stages.durations"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule survival:
    input:
        sparsity=all_seeds("sparsity"),
    output:
        store=directory(PER_POLICY["survival"]),
    log:
        "results/logs/survival/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/survival/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("survival"),
        runtime=minutes("survival"),
    params:
        settings=settings("survival"),
        code=code("survival"),
    shell:
        "python -m dynamic_sparsity.stages.survival"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule patterns:
    input:
        sparsity=all_seeds("sparsity"),
    output:
        store=directory(PER_POLICY["patterns"]),
    log:
        "results/logs/patterns/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/patterns/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("patterns"),
        runtime=minutes("patterns"),
    params:
        settings=settings("patterns"),
        code=code("patterns"),
    shell:
        "python -m dynamic_sparsity.stages.patterns"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule horizons:
    input:
        jacobians=all_seeds("jacobians"),
    output:
        store=directory(PER_POLICY["horizons"]),
    log:
        "results/logs/horizons/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/horizons/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("horizons"),
        runtime=minutes("horizons"),
    params:
        settings=settings("horizons"),
        code=code("horizons"),
    shell:
        "python -m dynamic_sparsity.stages.horizons"
        " --settings {params.settings:q}"
        " --jacobians {input.jacobians:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule clustering:
    input:
        sparsity=all_seeds("sparsity"),
    output:
        store=directory(PER_POLICY["clustering"]),
    log:
        "results/logs/clustering/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/clustering/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("clustering"),
        runtime=minutes("clustering"),
    params:
        settings=settings("clustering"),
        code=code("clustering"),
    shell:
        "python -m dynamic_sparsity.stages.clustering"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
