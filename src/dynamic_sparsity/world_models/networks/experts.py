"""Mixture of experts, of MLPs or of linear maps."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.mlp import Mlp


class Experts(Network):
    """A dense softmax gate over experts; linear ones make it piecewise affine where the gate is sure."""

    def __init__(self, inputs: int, outputs: int, size: WorldModelSettings, rngs: nnx.Rngs, *, linear: bool) -> None:
        self.gate = Mlp(inputs, size.experts, size.width, 1, nnx.elu, rngs)
        if linear:
            self.experts = nnx.List([nnx.Linear(inputs, outputs, rngs=rngs) for _ in range(size.experts)])
        else:
            several = [Mlp(inputs, outputs, size.width, size.depth, nnx.elu, rngs) for _ in range(size.experts)]
            self.experts = nnx.List(several)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The experts' predictions, weighted by the gate."""
        return nnx.softmax(self.gate(x)) @ jnp.stack([expert(x) for expert in self.experts])


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Experts:
    """A mixture of MLPs."""
    return Experts(tree.inputs, tree.outputs, size, rngs, linear=False)
