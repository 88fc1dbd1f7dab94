"""One module per table, each with `build(stores, paper) -> DataFrame`. Its docstring is printed on the table's page."""
