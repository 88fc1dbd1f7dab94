rule figure:
    input:
        stores=figure_stores,
    output:
        png=report(
            "results/figures/{figure}-{task}-{policy}-{method}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: FIGURE_QUESTIONS[wildcards.figure],
            subcategory="{task}",
            labels={
                "what": "figure",
                "name": "{figure}",
                "task": "{task}",
                "policy": "{policy}",
            },
        ),
        svg="results/figures/{figure}-{task}-{policy}-{method}.svg",
    log:
        "results/logs/figures/{figure}-{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/figures/{figure}-{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("figure"),
        runtime=minutes("figure"),
    params:
        settings=lambda wildcards: figure_settings(
            wildcards.figure, wildcards.policy, wildcards.method
        ),
        code=lambda wildcards: code(
            "figure", f"dynamic_sparsity.figures.{wildcards.figure}"
        ),
    shell:
        "python -m dynamic_sparsity.stages.figure"
        " --settings {params.settings:q}"
        " --figure {wildcards.figure}"
        " --stores {input.stores:q}"
        " --threads {threads}"
        " --output {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


use rule figure as study_figure with:
    input:
        stores=study_figure_stores,
    output:
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: FIGURE_QUESTIONS[wildcards.figure],
            subcategory="All tasks",
            labels={"what": "figure", "name": "{figure}"},
        ),
        svg="results/figures/{figure}.svg",
    log:
        "results/logs/figures/{figure}.log",
    benchmark:
        "results/benchmarks/figures/{figure}.tsv"
    resources:
        mem_mb=memory("study_figure"),
        runtime=minutes("study_figure"),
    params:
        settings=lambda wildcards: studies.study_figure_settings(
            STUDY, wildcards.figure, STUDY_FIGURES[wildcards.figure]
        ),
        code=lambda wildcards: code(
            "figure", f"dynamic_sparsity.figures.{wildcards.figure}"
        ),
        order=lambda wildcards: in_order(study_figure_stores(wildcards)),
