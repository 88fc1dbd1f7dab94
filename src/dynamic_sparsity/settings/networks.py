"""Networks of world models, a row each: the name in config.yaml, and what it is.

The module of the same name in `dynamic_sparsity.world_models.networks` makes it, by `make`. docs/extending.md shows how to
add one.
"""

from __future__ import annotations

NETWORKS = {
    "mlp": "a multilayer perceptron with ELU",
    "relu": "the same with ReLU",
    "residual": "residual blocks",
    "experts": "a mixture of MLPs",
    "linear_experts": "a mixture of linear maps",
    "gated": "masks of the inputs of each output that depend on the state",
    "attention": "attention over variables, behind masks",
    "graph": "messages on the kinematic tree",
}
