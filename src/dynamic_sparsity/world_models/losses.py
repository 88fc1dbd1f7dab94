"""What a world model is trained on: the next state, and, if asked for, the Jacobian of the simulator.

Losses on the Jacobian look at a few random columns per sample, by forward mode: the cost does not grow with the number of
inputs, and the expectation over columns is the loss on all of them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dynamic_sparsity.world_models.networks import Network

JACOBIAN_LOSSES = ("mse", "mae", "l1", "sae")
"""The paper's: squared and absolute error; L1 norm of the model's own; absolute error where the truth is zero."""


def prediction_loss(network: Network, x: Float[Array, " in"], y: Float[Array, " out"], key: jax.Array) -> jax.Array:
    """Mean squared error of one sample."""
    return jnp.mean((network.sampled(x, key) - y) ** 2)


def jacobian_loss(
    kind: str,
    network: Network,
    x: Float[Array, " in"],
    truth: Float[Array, "out in"],
    zero: Float[Array, "out in"],
    columns: Int[Array, " column"],
) -> jax.Array:
    """A loss on the Jacobian of one sample, from some of its columns drawn at random with equal chances.

    Unbiased: its mean over draws of `columns` is the loss on all columns. `zero` is 1 where the truth is zero. NaN in the
    truth counts in none. `sae` is the mean over the entries whose truth is zero, 0 without any.
    """
    inputs = x.shape[0]
    ours = jax.vmap(lambda column: jax.jvp(network, (x,), (jax.nn.one_hot(column, inputs, dtype=x.dtype),))[1])(columns)
    theirs, there = truth.T[columns], zero.T[columns]  # [column, out]
    known = jnp.isfinite(theirs)
    if kind == "l1":
        return jnp.mean(jnp.abs(ours))
    difference = jnp.where(known, ours - jnp.where(known, theirs, 0), 0)
    if kind == "mse":
        return jnp.mean(difference**2)
    if kind == "mae":
        return jnp.mean(jnp.abs(difference))
    share = jnp.maximum(jnp.mean(zero), 1 / zero.size)
    return jnp.mean(jnp.abs(ours) * there) / share


def random_columns(key: jax.Array, inputs: int, count: int | None) -> Int[Array, " column"]:
    """Columns to look at: `count` different ones, or all for None."""
    if count is None or count >= inputs:
        return jnp.arange(inputs)
    return jax.random.choice(key, inputs, (count,), replace=False)
