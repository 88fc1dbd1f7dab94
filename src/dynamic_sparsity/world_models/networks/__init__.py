"""Networks that predict the next state from state and control, one module each; `NETWORKS` names them.

Inputs and outputs are standardised, one sample at a time. A masked network says by `mask` which inputs each output may
depend on.
"""

from __future__ import annotations

from collections.abc import Callable

from flax import nnx

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.attention import Attention
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.experts import Experts
from dynamic_sparsity.world_models.networks.gated import Gated
from dynamic_sparsity.world_models.networks.graph import Graph
from dynamic_sparsity.world_models.networks.mlp import Mlp
from dynamic_sparsity.world_models.networks.residual import Residual

Maker = Callable[[KinematicTree, WorldModelSettings, nnx.Rngs], Network]

NETWORKS: dict[str, Maker] = {
    "mlp": lambda tree, size, rngs: Mlp(tree.inputs, tree.outputs, size.width, size.depth, nnx.elu, rngs),
    "relu": lambda tree, size, rngs: Mlp(tree.inputs, tree.outputs, size.width, size.depth, nnx.relu, rngs),
    "residual": lambda tree, size, rngs: Residual(tree.inputs, tree.outputs, size.width, size.depth, rngs),
    "experts": lambda tree, size, rngs: Experts(tree.inputs, tree.outputs, size, rngs, linear=False),
    "linear_experts": lambda tree, size, rngs: Experts(tree.inputs, tree.outputs, size, rngs, linear=True),
    "gated": lambda tree, size, rngs: Gated(tree.inputs, tree.outputs, size.width, size.depth, rngs),
    "attention": lambda tree, size, rngs: Attention(tree.inputs, tree.outputs, size.width, size.depth, rngs),
    "graph": lambda tree, size, rngs: Graph(tree, size.width, size.depth, rngs),
}
"""Each takes what the variables are and how they hang together, the settings that say its size, and its random numbers."""

__all__ = ["NETWORKS", "Network"]
