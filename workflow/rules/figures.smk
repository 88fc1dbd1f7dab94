# The stages whose stores each figure reads. A figure is the module of its name in dynamic_sparsity.figures.
FIGURES = {
    "zero_fraction": ["summary"],
    "sparsity_histogram": ["sparsity"],
    "sparsity_over_time": ["sparsity"],
    "threshold_sweep": ["summary"],
    "duration_histogram": ["survival"],
    "survival": ["survival"],
    "pattern_timeline": ["patterns"],
}
FIGURE_QUESTIONS = {
    "zero_fraction": "Q1 Is the causal graph globally sparse?",
    "threshold_sweep": "Q1 Is the causal graph globally sparse?",
    "sparsity_histogram": "Q2 Is sparsity state-dependent?",
    "sparsity_over_time": "Q3 Is sparsity temporally sparse?",
    "duration_histogram": "Q3 Is sparsity temporally sparse?",
    "survival": "Q3 Is sparsity temporally sparse?",
    "pattern_timeline": "Q3 Is sparsity temporally sparse?",
}


def figures():
    """Paths of all figures."""
    return expand(
        "results/figures/{figure}-{task}-{policy}-{method}.{kind}",
        figure=FIGURES,
        task=STUDY.tasks,
        policy=STUDY.policies.names,
        method=METHOD,
        kind=["png", "svg"],
    )


rule figure:
    input:
        stores=lambda wildcards: [
            store
            for stage in FIGURES[wildcards.figure]
            for store in stores(
                stage,
                task=wildcards.task,
                policy=wildcards.policy,
                method=wildcards.method,
            )
        ],
        code=lambda wildcards: sources(
            "figure", f"dynamic_sparsity.figures.{wildcards.figure}"
        ),
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
    params:
        settings=lambda wildcards: study_settings.figure_settings(
            STUDY, wildcards.figure, FIGURES[wildcards.figure], wildcards.policy
        ),
    log:
        "results/logs/figures/{figure}-{task}-{policy}-{method}.log",
    benchmark:
        "results/benchmarks/figures/{figure}-{task}-{policy}-{method}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    shell:
        "python -m dynamic_sparsity.stages.figure"
        " --settings {params.settings:q}"
        " --figure {wildcards.figure}"
        " --stores {input.stores:q}"
        " --output {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"
