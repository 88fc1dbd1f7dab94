"""Hard concrete gates (Louizos, Welling, Kingma 2018, arXiv 1712.01312).

Gates lie between 0 and 1. They are random in training, and exactly 0 or 1 for logits of large magnitude.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx

_TEMPERATURE, _LOW, _HIGH = 2 / 3, -0.1, 1.1
OPEN = 2.0
"""Added to the logits of a network, so that its gates are open before training."""


def mean_gates(logits: jax.Array) -> jax.Array:
    """Gates without randomness: a stretched sigmoid of the logits, clipped to [0, 1]."""
    return jnp.clip(nnx.sigmoid(logits) * (_HIGH - _LOW) + _LOW, 0, 1)


def drawn_gates(logits: jax.Array, key: jax.Array) -> jax.Array:
    """Random gates, as used in training."""
    return mean_gates((logits + jax.random.logistic(key, logits.shape, logits.dtype)) / _TEMPERATURE)


def open_chance(logits: jax.Array) -> jax.Array:
    """Probability that a drawn gate is not 0."""
    return nnx.sigmoid(logits - _TEMPERATURE * math.log(-_LOW / _HIGH))
