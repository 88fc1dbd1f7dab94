"""One module per Snakemake rule: parse, read, call, write."""
