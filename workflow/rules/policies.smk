rule policies:
    input:
        nothing_to_wait_for,
    output:
        expert=TRAINED_EXPERT,
    log:
        "results/logs/policies/{task}-{seed}.log",
    benchmark:
        "results/benchmarks/policies/{task}-{seed}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("policies"),
        runtime=minutes("policies"),
        gpu=accelerators("policies"),
    params:
        settings=dependencies.training_settings(STUDY),
        code=code("policies"),
    shell:
        "python -m dynamic_sparsity.stages.policies"
        " --settings {params.settings:q}"
        " --task {wildcards.task}"
        " --seed {wildcards.seed}"
        " --checkpoints results/policies/{wildcards.task}/{wildcards.seed}.checkpoints"
        " --threads {threads}"
        " --output {output.expert:q}"
        " >> {log:q} 2>&1"
