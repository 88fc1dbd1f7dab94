"""Mixture of experts that are MLPs or linear maps."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.mlp import Mlp


class Experts(Network):
    """`size.experts` networks, whose predictions a softmax gate weights; with `linear`, the experts are affine maps.

    All experts are evaluated. Where the gate puts all weight on one linear expert, the prediction is affine.
    """

    def __init__(self, inputs: int, outputs: int, size: WorldModelSettings, rngs: nnx.Rngs, *, linear: bool) -> None:
        self.gate = Mlp(inputs, size.experts, size.width, 1, nnx.elu, rngs)
        if linear:
            self.experts = nnx.List([nnx.Linear(inputs, outputs, rngs=rngs) for _ in range(size.experts)])
        else:
            networks = [Mlp(inputs, outputs, size.width, size.depth, nnx.elu, rngs) for _ in range(size.experts)]
            self.experts = nnx.List(networks)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The experts' predictions, weighted by the gate."""
        return nnx.softmax(self.gate(x)) @ jnp.stack([expert(x) for expert in self.experts])


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Experts:
    """A mixture of MLPs."""
    return Experts(tree.inputs, tree.outputs, size, rngs, linear=False)
