"""Attention over one token per variable, with learned hard masks, after SPARTAN (Lei et al. 2024, arXiv 2411.06890)."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.gates import OPEN, drawn_gates, mean_gates, open_chance
from dynamic_sparsity.world_models.networks.mlp import Mlp

Gates = Callable[[jax.Array, int], jax.Array]


class Layer(nnx.Module):
    """One head of attention behind hard gates, and an MLP on every token, both residual."""

    def __init__(self, size: int, rngs: nnx.Rngs) -> None:
        self.query, self.key, self.value, self.asked, self.offered = (
            nnx.Linear(size, size, use_bias=False, rngs=rngs) for _ in range(5)
        )
        self.norms = nnx.List([nnx.LayerNorm(size, rngs=rngs) for _ in range(2)])
        self.token = Mlp(size, size, 2 * size, 1, nnx.elu, rngs)

    def logits(self, tokens: Float[Array, "token size"]) -> Float[Array, "to from"]:
        """Of the gates, from both tokens; a token always knows itself, by the residual path."""
        tokens = self.norms[0](tokens)
        return self.asked(tokens) @ self.offered(tokens).T / math.sqrt(tokens.shape[1]) + OPEN

    def __call__(self, tokens: Float[Array, "token size"], gates: Float[Array, "to from"]) -> Float[Array, "token size"]:
        """The next tokens; nothing comes through a gate that is 0."""
        seen = self.norms[0](tokens)
        scores = self.query(seen) @ self.key(seen).T / math.sqrt(tokens.shape[1])
        weights = gates * jnp.exp(10 * jnp.tanh(scores / 10))  # bounded, so that no maximum over all tokens is subtracted
        weights = weights / (1 + weights.sum(axis=1, keepdims=True))
        tokens = tokens + weights @ self.value(seen)
        return tokens + jax.vmap(self.token)(self.norms[1](tokens))


class Attention(Network):
    """Tokens of the inputs pass `depth` layers; each next-state variable is read from the token of its current value.

    An output depends on the inputs from which a path of open gates leads to its token. `penalty` counts these paths, as
    SPARTAN's budget does. Tokens have an eighth of the width. Takes the inputs of the state first, in the outputs' order.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        size = max(2, width // 8)
        normal = lambda *shape: nnx.Param(jax.random.normal(rngs.params(), shape, jnp.float32))  # noqa: E731
        self.scale, self.place = normal(inputs, size), normal(inputs, size)
        self.layers = nnx.List([Layer(size, rngs) for _ in range(depth)])
        self.read, self.bias = nnx.Param(normal(outputs, size)[...] / math.sqrt(size)), nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """With gates at their mean."""
        return self._through(x, lambda logits, _: mean_gates(logits))[0]

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """With gates drawn."""
        return self._through(x, lambda logits, layer: drawn_gates(logits, jax.random.fold_in(key, layer)))[0]

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """Expected number of paths from inputs to outputs, over their number with all gates open."""
        logits = self._through(x, lambda logits, _: mean_gates(logits))[1]
        return (
            self._paths([open_chance(one) for one in logits]).mean()
            / self._paths([jnp.ones_like(logits[0])] * len(logits)).mean()
        )

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"]:
        """Outputs and inputs that a path of open gates joins."""
        logits = self._through(x, lambda logits, _: mean_gates(logits))[1]
        return self._paths([(mean_gates(one) > 0).astype(x.dtype) for one in logits]) > 0

    def _through(self, x: Float[Array, " in"], gates: Gates) -> tuple[jax.Array, list[jax.Array]]:
        """The outputs, and the logits of every layer."""
        tokens, found = x[:, None] * self.scale[...] + self.place[...], []
        for number, layer in enumerate(self.layers):
            found.append(layer.logits(tokens))
            tokens = layer(tokens, gates(found[-1], number))
        outputs = len(self.bias[...])
        return (tokens[:outputs] * self.read[...]).sum(axis=1) + self.bias[...], found

    def _paths(self, gates: list[Float[Array, "to from"]]) -> Float[Array, "out in"]:
        """How many paths lead from each input to each output, with the one that stays at a token."""
        stay = jnp.eye(len(gates[0]), dtype=gates[0].dtype)
        reach = stay
        for gate in gates:
            reach = (stay + gate * (1 - stay)) @ reach
        return reach[: len(self.bias[...])]


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Attention:
    """`depth` layers of attention."""
    return Attention(tree.inputs, tree.outputs, size.width, size.depth, rngs)
