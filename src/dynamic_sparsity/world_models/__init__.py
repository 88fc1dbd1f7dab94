"""World models: networks that predict the next state, how they are trained, and whether they recover the sparsity."""
