rule durations:
    input:
        sparsity=PER_SEED["sparsity"],
        code=sources("durations"),
    output:
        store=directory(PER_SEED["durations"]),
    log:
        "results/logs/durations/{task}-{policy}-{method}-{seed}.log",
    benchmark:
        "results/benchmarks/durations/{task}-{policy}-{method}-{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("durations"),
    shell:
        "python -m dynamic_sparsity.stages.durations"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule survival:
    input:
        durations=lambda wildcards: stores("durations", **wildcards),
        code=sources("survival"),
    output:
        store=directory(PER_POLICY["survival"]),
    log:
        "results/logs/survival/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/survival/{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("survival"),
    shell:
        "python -m dynamic_sparsity.stages.survival"
        " --settings {params.settings:q}"
        " --durations {input.durations:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule patterns:
    input:
        sparsity=lambda wildcards: stores("sparsity", **wildcards),
        code=sources("patterns"),
    output:
        store=directory(PER_POLICY["patterns"]),
    log:
        "results/logs/patterns/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/patterns/{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("patterns"),
    shell:
        "python -m dynamic_sparsity.stages.patterns"
        " --settings {params.settings:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
