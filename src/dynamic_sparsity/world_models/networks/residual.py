"""Residual MLP (He et al. 2016, arXiv 1512.03385)."""

from __future__ import annotations

from flax import nnx
from jaxtyping import Array, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network


class Residual(Network):
    """`depth` blocks x + f(x) between two linear layers, where f is ELU, linear, ELU, linear."""

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        self.first, self.last = nnx.Linear(inputs, width, rngs=rngs), nnx.Linear(width, outputs, rngs=rngs)
        self.blocks = nnx.List([nnx.List([nnx.Linear(width, width, rngs=rngs) for _ in range(2)]) for _ in range(depth)])

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        x = self.first(x)
        for inner, outer in self.blocks:
            x = x + outer(nnx.elu(inner(nnx.elu(x))))
        return self.last(nnx.elu(x))


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Residual:
    """`depth` blocks of `width`."""
    return Residual(tree.inputs, tree.outputs, size.width, size.depth, rngs)
