"""Multilayer perceptron. The paper's has two hidden layers of 512 units with ELU."""

from __future__ import annotations

from collections.abc import Callable

import jax
from flax import nnx
from jaxtyping import Array, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network


class Mlp(Network):
    """`depth` hidden layers of `width` units with one activation function, and a linear output layer."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        depth: int,
        activation: Callable[[jax.Array], jax.Array],
        rngs: nnx.Rngs,
    ) -> None:
        sizes = [inputs, *[width] * depth, outputs]
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in zip(sizes[:-1], sizes[1:], strict=True)])
        self.activation = activation

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Mlp:
    """With ELU, as in the paper."""
    return Mlp(tree.inputs, tree.outputs, size.width, size.depth, nnx.elu, rngs)
