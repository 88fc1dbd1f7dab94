"""Attention with one token per variable and learned hard masks, after SPARTAN (Lei et al. 2024, arXiv 2411.06890)."""

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
"""Turns the logits of a layer and its number into gates."""


class Layer(nnx.Module):
    """One attention head behind hard gates and an MLP on every token, both with residual connections."""

    def __init__(self, size: int, rngs: nnx.Rngs) -> None:
        self.query, self.key, self.value, self.asked, self.offered = (
            nnx.Linear(size, size, use_bias=False, rngs=rngs) for _ in range(5)
        )
        self.norms = nnx.List([nnx.LayerNorm(size, rngs=rngs) for _ in range(2)])
        self.token = Mlp(size, size, 2 * size, 1, nnx.elu, rngs)

    def logits(self, tokens: Float[Array, "token size"]) -> Float[Array, "to from"]:
        """Gate logits for every pair of tokens. A token always attends to itself through the residual path."""
        tokens = self.norms[0](tokens)
        return self.asked(tokens) @ self.offered(tokens).T / math.sqrt(tokens.shape[1]) + OPEN

    def __call__(self, tokens: Float[Array, "token size"], gates: Float[Array, "to from"]) -> Float[Array, "token size"]:
        """The tokens after this layer. A gate of 0 blocks all information from one token to another."""
        seen = self.norms[0](tokens)
        scores = self.query(seen) @ self.key(seen).T / math.sqrt(tokens.shape[1])
        weights = gates * jnp.exp(
            10 * jnp.tanh(scores / 10)
        )  # bounded, so that subtracting a maximum over tokens is unnecessary
        weights = weights / (1 + weights.sum(axis=1, keepdims=True))
        tokens = tokens + weights @ self.value(seen)
        return tokens + jax.vmap(self.token)(self.norms[1](tokens))


class Attention(Network):
    """One token per input passes through `depth` layers; each output is read from the token of its state variable.

    An output depends on the inputs from which a path of open gates leads to its token. `penalty` counts these paths, as
    SPARTAN's budget does. Tokens have `width` / 8 features. The state must come first among the inputs, in the order of
    the outputs.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        size = max(2, width // 8)
        normal = lambda *shape: nnx.Param(jax.random.normal(rngs.params(), shape, jnp.float32))  # noqa: E731
        self.scale, self.place = normal(inputs, size), normal(inputs, size)
        self.layers = nnx.List([Layer(size, rngs) for _ in range(depth)])
        self.read, self.bias = nnx.Param(normal(outputs, size)[...] / math.sqrt(size)), nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction with mean gates."""
        return self._through(x, lambda logits, _: mean_gates(logits))[0]

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """The prediction with random gates."""
        return self._through(x, lambda logits, layer: drawn_gates(logits, jax.random.fold_in(key, layer)))[0]

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """Expected number of paths from inputs to outputs, relative to their number if all gates are open."""
        logits = self._through(x, lambda logits, _: mean_gates(logits))[1]
        return (
            self._paths([open_chance(of_layer) for of_layer in logits]).mean()
            / self._paths([jnp.ones_like(logits[0])] * len(logits)).mean()
        )

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"]:
        """Pairs of outputs and inputs that a path of open gates connects."""
        logits = self._through(x, lambda logits, _: mean_gates(logits))[1]
        return self._paths([(mean_gates(of_layer) > 0).astype(x.dtype) for of_layer in logits]) > 0

    def _through(self, x: Float[Array, " in"], gates: Gates) -> tuple[jax.Array, list[jax.Array]]:
        """The outputs, and the gate logits of every layer."""
        tokens, logits = x[:, None] * self.scale[...] + self.place[...], []
        for number, layer in enumerate(self.layers):
            logits.append(layer.logits(tokens))
            tokens = layer(tokens, gates(logits[-1], number))
        outputs = len(self.bias[...])
        return (tokens[:outputs] * self.read[...]).sum(axis=1) + self.bias[...], logits

    def _paths(self, gates: list[Float[Array, "to from"]]) -> Float[Array, "out in"]:
        """Number of paths from each input to each output, including the one that stays at its token."""
        stay = jnp.eye(len(gates[0]), dtype=gates[0].dtype)
        reach = stay
        for gate in gates:
            reach = (stay + gate * (1 - stay)) @ reach
        return reach[: len(self.bias[...])]


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Attention:
    """`depth` layers of attention."""
    return Attention(tree.inputs, tree.outputs, size.width, size.depth, rngs)
