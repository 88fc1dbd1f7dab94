"""Hard concrete gates (Louizos, Welling, Kingma 2018, arXiv 1712.01312): random in training, exactly 0 or 1 where sure."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx

_TEMPERATURE, _LOW, _HIGH = 2 / 3, -0.1, 1.1
OPEN = 2.0
"""Added to logits: gates are open at first."""


def mean_gates(logits: jax.Array) -> jax.Array:
    """Gates without randomness, between 0 and 1 and exactly that at both ends."""
    return jnp.clip(nnx.sigmoid(logits) * (_HIGH - _LOW) + _LOW, 0, 1)


def drawn_gates(logits: jax.Array, key: jax.Array) -> jax.Array:
    """Gates as they are drawn in training."""
    return mean_gates((logits + jax.random.logistic(key, logits.shape, logits.dtype)) / _TEMPERATURE)


def open_chance(logits: jax.Array) -> jax.Array:
    """Probability that a drawn gate is not 0."""
    return nnx.sigmoid(logits - _TEMPERATURE * math.log(-_LOW / _HIGH))
