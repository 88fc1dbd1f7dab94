rule figure:
    input:
        stores=figure_stores(OF_EVERY_TASK),
    output:
        png=[reported_figure(figure) for figure in OF_EVERY_TASK],
        svg=[figure_file(figure, "svg") for figure in OF_EVERY_TASK],
    log:
        "results/logs/figures/{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/figures/{task}-{policy}-{method}.tsv"
    priority: by_task("task", "policy")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("figure"),
        runtime=minutes("figure"),
    params:
        settings=lambda wildcards: figure_settings(
            OF_EVERY_TASK, wildcards.policy, wildcards.method
        ),
        code=lambda wildcards: figure_code(*OF_EVERY_TASK),
    shell:
        "python -m dynamic_sparsity.stages.figure"
        " --settings {params.settings:q}"
        " --stores {input.stores:q}"
        " --threads {threads}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


use rule figure as embedding_figure with:
    input:
        stores=figure_stores(EMBEDDED),
    output:
        png=[reported_figure(figure) for figure in EMBEDDED],
        svg=[figure_file(figure, "svg") for figure in EMBEDDED],
    log:
        "results/logs/figures/embedding-{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/figures/embedding-{task}-{policy}-{method}.tsv"
    resources:
        mem_mb=memory("embedding_figure"),
        runtime=minutes("embedding_figure"),
    params:
        settings=lambda wildcards: figure_settings(
            EMBEDDED, wildcards.policy, wildcards.method
        ),
        code=lambda wildcards: figure_code(*EMBEDDED),


use rule figure as study_figure with:
    input:
        stores=study_figure_stores,
    output:
        png=report(
            expand(STUDY_FIGURE, kind="png", allow_missing=True)[0],
            caption="../report/study_figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].question,
            subcategory="All tasks",
            labels={"what": "figure", "name": "{figure}"},
        ),
        svg=expand(STUDY_FIGURE, kind="svg", allow_missing=True),
    log:
        "results/logs/figures/{figure}.log",
    benchmark:
        "results/benchmarks/figures/{figure}.tsv"
    resources:
        mem_mb=memory("study_figure"),
        runtime=minutes("study_figure"),
    params:
        settings=lambda wildcards: dependencies.study_figure_settings(
            STUDY, wildcards.figure, FIGURES[wildcards.figure].reads
        ),
        code=lambda wildcards: figure_code(wildcards.figure),
        order=lambda wildcards: in_order(study_figure_stores(wildcards)),


# Refuses unknown figures with a message. Snakemake prefers the rules above for every known figure.
rule no_such_figure:
    input:
        no_such_figure,
    output:
        expand(FIGURE, kind=["png", "svg"], allow_missing=True),


ruleorder: figure > embedding_figure > no_such_figure
