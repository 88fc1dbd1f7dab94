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
    """Passes messages along the kinematic tree in `depth` rounds.

    There is a node for each degree of freedom and one for the world, which connects the roots. A node of a degree of
    freedom holds its position, its velocity, and the activations and controls that act on it. Nodes have `width` / 8
    features. Weights of messages and updates are shared by all nodes; every variable has its own weights for entering
    its node and for being read from it.

    An output depends only on inputs at most `depth` edges away. All other entries of its Jacobian are zero by design,
    whether or not they are zero in truth.
    """

    def __init__(self, tree: KinematicTree, width: int, depth: int, rngs: nnx.Rngs) -> None:
        size, nodes = max(2, width // 8), len(tree.parents) + 1
        normal = lambda *shape: jax.random.normal(rngs.params(), shape, jnp.float32)  # noqa: E731
        self.scale, self.place = nnx.Param(normal(len(tree.of_inputs), size)), nnx.Param(normal(nodes, size))
        self.messages = nnx.List([Mlp(2 * size + 1, size, 2 * size, 1, nnx.elu, rngs) for _ in range(depth)])
        self.updates = nnx.List([Mlp(2 * size, size, 2 * size, 1, nnx.elu, rngs) for _ in range(depth)])
        self.read = nnx.Param(normal(len(tree.of_outputs), size) / math.sqrt(size))
        self.bias = nnx.Param(jnp.zeros(len(tree.of_outputs)))
        edges = [
            (node, parent % nodes) for node, parent in enumerate(tree.parents)
        ]  # no parent (-1): the last node, the world
        self.edges = tuple(edges)
        self.entries = tuple((variable, node) for variable, nodes_of in enumerate(tree.of_inputs) for node in nodes_of)
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
