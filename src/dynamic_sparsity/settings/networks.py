"""Networks of world models, one row each: the name in config.yaml, and what the network is.

The function `make` of the module of the same name in `dynamic_sparsity.world_models.networks` builds the network.
docs/extending.md shows how to add one.
"""

from __future__ import annotations

NETWORKS = {
    "mlp": "a multilayer perceptron (MLP) with ELU",
    "relu": "an MLP with ReLU",
    "residual": "a stack of residual blocks",
    "experts": "a mixture of MLPs",
    "linear_experts": "a mixture of linear maps",
    "gated": "an input mask for each output, which depends on the state",
    "attention": "masked attention over the variables",
    "graph": "message passing on the kinematic tree",
}
