rule interventions:
    input:
        rollouts=all_seeds("rollouts"),
        jacobians=all_seeds("jacobians"),
    output:
        store=directory(PER_POLICY["interventions"]),
    log:
        "results/logs/interventions/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/interventions/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("interventions"),
        runtime=minutes("interventions"),
    params:
        settings=settings("interventions"),
        code=code("interventions"),
    shell:
        "python -m dynamic_sparsity.stages.interventions"
        " --settings {params.settings:q}"
        " --rollouts {input.rollouts:q}"
        " --jacobians {input.jacobians:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
