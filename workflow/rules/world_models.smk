rule world_models:
    input:
        rollouts=learnt_rollouts,
        jacobians=all_policies("jacobians"),
        sparsity=all_policies("sparsity"),
    output:
        store=directory(WORLD_MODEL),
    log:
        "results/logs/world_models/{task}-{policy}-{method}-{model}-{seed}.log",
    benchmark:
        "results/benchmarks/world_models/{task}-{policy}-{method}-{model}-{seed}.tsv"
    priority: by_seed(STUDY.world_models.seeds)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("world_models"),
        runtime=minutes("world_models"),
        gpu=accelerators("world_models"),
    params:
        settings=lambda wildcards: world_model_settings(
            wildcards.policy, wildcards.model, wildcards.method
        ),
        code=network_code,
    shell:
        "python -m dynamic_sparsity.stages.world_models"
        " --settings {params.settings:q}"
        " --rollout {input.rollouts:q}"
        " --jacobian {input.jacobians:q}"
        " --sparsity {input.sparsity:q}"
        " --seed {wildcards.seed}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"


rule recovery:
    input:
        rollouts=all_policies("rollouts"),
        jacobians=all_policies("jacobians"),
        sparsity=all_policies("sparsity"),
        models=trained_models,
    output:
        store=directory(PER_POLICY["recovery"]),
    log:
        "results/logs/recovery/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/recovery/{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("recovery"),
        runtime=minutes("recovery"),
    params:
        settings=settings("recovery"),
        code=code("recovery"),
        models=lambda wildcards: in_order(trained_models(wildcards)),
    shell:
        "python -m dynamic_sparsity.stages.recovery"
        " --settings {params.settings:q}"
        " --rollout {input.rollouts:q}"
        " --jacobian {input.jacobians:q}"
        " --sparsity {input.sparsity:q}"
        " --model {input.models:q}"
        " --threads {threads}"
        " --output {output.store:q}"
        " > {log:q} 2>&1"
