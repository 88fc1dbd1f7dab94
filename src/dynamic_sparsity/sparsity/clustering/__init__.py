"""Is sparsity clustered in time? Null models of zero series, each with an effect size, an interval and a p-value."""
