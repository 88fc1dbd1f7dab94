"""Multilayer perceptron with ReLU: piecewise affine, so its Jacobian is constant within a piece."""

from __future__ import annotations

from flax import nnx

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.mlp import Mlp


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Mlp:
    """`depth` hidden layers of `width` units each."""
    return Mlp(tree.inputs, tree.outputs, size.width, size.depth, nnx.relu, rngs)
