"""One module per table, each with a function build(stores, paper) -> DataFrame; its docstring is the caption."""
