# The stages whose stores each table reads. A table is the module of its name in dynamic_sparsity.sparsity.tables.
TABLES = {
    "global_zeros": ["summary"],
    "mean_sparsity": ["summary"],
    "durations": ["survival"],
    "temporal": ["patterns"],
    "patterns": ["patterns"],
}
TABLE_QUESTIONS = {
    "global_zeros": "Q1 Is the causal graph globally sparse?",
    "mean_sparsity": "Q2 Is sparsity state-dependent?",
    "durations": "Q3 Is sparsity temporally sparse?",
    "temporal": "Q3 Is sparsity temporally sparse?",
    "patterns": "Q3 Is sparsity temporally sparse?",
}


def tables():
    """Paths of all tables."""
    return expand("results/tables/{table}.{kind}", table=TABLES, kind=["csv", "html"])


rule table:
    input:
        stores=lambda wildcards: [
            store for stage in TABLES[wildcards.table] for store in stores(stage)
        ],
        paper="resources/paper/table1.csv",
        code=lambda wildcards: sources(
            "table", f"dynamic_sparsity.sparsity.tables.{wildcards.table}"
        ),
    output:
        csv="results/tables/{table}.csv",
        html=report(
            "results/tables/{table}.html",
            caption="../report/table.rst",
            category=lambda wildcards: TABLE_QUESTIONS[wildcards.table],
            subcategory="Tables",
            labels={"what": "table", "name": "{table}"},
        ),
    params:
        settings=lambda wildcards: study_settings.table_settings(
            STUDY, TABLES[wildcards.table]
        ),
    log:
        "results/logs/tables/{table}.log",
    benchmark:
        "results/benchmarks/tables/{table}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    shell:
        "python -m dynamic_sparsity.stages.table"
        " --settings {params.settings:q}"
        " --table {wildcards.table}"
        " --paper {input.paper:q}"
        " --stores {input.stores:q}"
        " --output {output.csv:q}"
        " --html {output.html:q}"
        " > {log:q} 2>&1"
