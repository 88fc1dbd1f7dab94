rule table:
    input:
        stores=lambda wildcards: [
            store for stage in TABLES[wildcards.table] for store in stores(stage)
        ],
        paper=lambda wildcards: [
            os.path.join(PAPER, f"{name}.csv")
            for name in REPORTED.get(wildcards.table, [])
        ],
    output:
        csv="results/tables/{table}.csv",
        html=report(
            "results/tables/{table}.html",
            caption="../report/table.rst",
            category=lambda wildcards: TABLE_QUESTIONS[wildcards.table],
            subcategory="Tables",
            labels={"what": "table", "name": "{table}"},
        ),
    log:
        "results/logs/tables/{table}.log",
    benchmark:
        "results/benchmarks/tables/{table}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("table"),
        runtime=minutes("table"),
    params:
        settings=lambda wildcards: studies.table_settings(
            STUDY, TABLES[wildcards.table]
        ),
        code=lambda wildcards: code(
            "table", f"dynamic_sparsity.sparsity.tables.{wildcards.table}"
        ),
    shell:
        "python -m dynamic_sparsity.stages.table"
        " --settings {params.settings:q}"
        " --table {wildcards.table}"
        " --paper {input.paper:q}"
        " --stores {input.stores:q}"
        " --threads {threads}"
        " --output {output.csv:q}"
        " --html {output.html:q}"
        " > {log:q} 2>&1"
