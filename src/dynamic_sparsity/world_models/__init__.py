"""World models: networks that predict the next state, their training, and how well they recover the sparsity."""
