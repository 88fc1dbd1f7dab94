"""Graph network on the kinematic tree (after Sanchez-Gonzalez et al. 2018, arXiv 1806.01242)."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.mlp import Mlp

READS_TREE = True
"""The network depends on the structure of the kinematic tree, so it needs that of the task."""


class Graph(Network):
    """Nodes are the degrees of freedom and the world, which joins the roots; `depth` rounds of messages along the tree.

    A node holds its position, velocity, and what actuates it. Messages and updates share their weights over nodes; how a
    variable enters its node and is read from it has weights of its own. Nodes have an eighth of the width. What is further
    away than `depth` edges cannot be seen: those entries of the Jacobian are zero by design, right or wrong.
    """

    def __init__(self, tree: KinematicTree, width: int, depth: int, rngs: nnx.Rngs) -> None:
        size, nodes = max(2, width // 8), len(tree.parents) + 1
        normal = lambda *shape: jax.random.normal(rngs.params(), shape, jnp.float32)  # noqa: E731
        self.scale, self.place = nnx.Param(normal(len(tree.of_inputs), size)), nnx.Param(normal(nodes, size))
        self.messages = nnx.List([Mlp(2 * size + 1, size, 2 * size, 1, nnx.elu, rngs) for _ in range(depth)])
        self.updates = nnx.List([Mlp(2 * size, size, 2 * size, 1, nnx.elu, rngs) for _ in range(depth)])
        self.read = nnx.Param(normal(len(tree.of_outputs), size) / math.sqrt(size))
        self.bias = nnx.Param(jnp.zeros(len(tree.of_outputs)))
        edges = [(node, parent % nodes) for node, parent in enumerate(tree.parents)]  # -1, no parent: the world, last
        self.edges = tuple(edges)
        self.entries = tuple((variable, node) for variable, found in enumerate(tree.of_inputs) for node in found)
        self.outputs = tree.of_outputs

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        variables, places = map(jnp.array, zip(*self.entries, strict=True))
        nodes = self.place[...].at[places].add(x[variables, None] * self.scale[...][variables])
        child, parent = map(jnp.array, zip(*self.edges, strict=True))
        sender, receiver = jnp.concatenate([child, parent]), jnp.concatenate([parent, child])
        upwards = jnp.repeat(jnp.array([1.0, 0.0], x.dtype), len(child))[:, None]
        for message, update in zip(self.messages, self.updates, strict=True):
            sent = jax.vmap(message)(jnp.concatenate([nodes[sender], nodes[receiver], upwards], axis=1))
            received = jnp.zeros_like(nodes).at[receiver].add(sent)
            nodes = nodes + jax.vmap(update)(jnp.concatenate([nodes, received], axis=1))
        return (nodes[jnp.array(self.outputs)] * self.read[...]).sum(axis=1) + self.bias[...]


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Graph:
    """`depth` rounds of messages on `tree`."""
    return Graph(tree, size.width, size.depth, rngs)
