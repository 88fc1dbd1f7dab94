rule table:
    input:
        stores=table_stores,
    output:
        csv=expand(TABLE, kind="csv", allow_missing=True)[0],
        html=report(
            expand(TABLE, kind="html", allow_missing=True)[0],
            caption="../report/table.rst",
            category=lambda wildcards: TABLES[wildcards.table].question,
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
        settings=lambda wildcards: dependencies.table_settings(
            STUDY, PATHS.table_stages(wildcards.table)
        ),
        code=lambda wildcards: code(
            "table", f"dynamic_sparsity.tables.{wildcards.table}"
        ),
        order=lambda wildcards: in_order(table_stores(wildcards)),
        paper=lambda wildcards: reported_digest(wildcards.table),
        paper_files=lambda wildcards, input: reported_files(wildcards.table),
    shell:
        "python -m dynamic_sparsity.stages.table"
        " --settings {params.settings:q}"
        " --table {wildcards.table}"
        " --paper {params.paper_files:q}"
        " --stores {input.stores:q}"
        " --threads {threads}"
        " --output {output.csv:q}"
        " --html {output.html:q}"
        " > {log:q} 2>&1"
