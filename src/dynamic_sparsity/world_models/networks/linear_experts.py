"""Mixture of linear maps: piecewise affine where the gate selects a single map."""

from __future__ import annotations

from flax import nnx

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.experts import Experts


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Experts:
    """`experts` linear maps, weighted by a gate network of width `width`."""
    return Experts(tree.inputs, tree.outputs, size, rngs, linear=True)
