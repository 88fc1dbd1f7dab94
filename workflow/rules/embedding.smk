rule embedding:
    input:
        rollouts=all_seeds("rollouts"),
        sparsity=all_seeds("sparsity"),
    output:
        store=directory(PER_POLICY["embedding"]),
    log:
        "results/logs/embedding/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/embedding/{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("embedding"),
        runtime=minutes("embedding"),
    params:
        settings=settings("embedding"),
        code=code("embedding"),
    shell:
        "python -m dynamic_sparsity.stages.embedding"
        " --settings {params.settings:q}"
        " --rollouts {input.rollouts:q}"
        " --sparsity {input.sparsity:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule frames:
    input:
        rollout=lambda wildcards: PATHS.stores(
            "rollouts",
            task=wildcards.task,
            policy=wildcards.policy,
            seed=min(STUDY.seeds_of(wildcards.task, wildcards.policy)),
        ),
        embedding=PER_POLICY["embedding"],
    output:
        store=directory(PER_POLICY["frames"]),
    log:
        "results/logs/frames/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/frames/{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("frames"),
        runtime=minutes("frames"),
    params:
        settings=settings("frames"),
        code=code("frames"),
    shell:
        "python -m dynamic_sparsity.stages.frames"
        " --settings {params.settings:q}"
        " --rollout {input.rollout:q}"
        " --embedding {input.embedding:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
