"""Losses on the Jacobian of a world model.

A loss is computed from a few random columns of the Jacobian of each sample, by forward-mode differentiation. Its cost
does not grow with the number of inputs, and its expectation over random columns is the loss on all columns.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dynamic_sparsity.world_models.networks import Network

JACOBIAN_LOSSES = ("mse", "mae", "l1", "sae")
"""The paper's losses: squared error; absolute error; mean |entry| of the model; absolute error at true zeros only."""


def prediction_and_columns(
    network: Network, x: Float[Array, " in"], key: jax.Array, columns: Int[Array, " column"]
) -> tuple[Float[Array, " out"], Float[Array, "column out"]]:
    """The prediction in training (`Network.sampled`) and the chosen columns of its Jacobian, from one linearisation."""
    prediction, product = jax.linearize(lambda x: network.sampled(x, key), x)
    return prediction, jax.vmap(product)(jax.nn.one_hot(columns, x.shape[0], dtype=x.dtype))


def jacobian_loss(
    kind: str,
    predicted: Float[Array, "column out"],
    truth: Float[Array, "column out"],
    zero: Float[Array, "column out"],
    zeros: Float[Array, ""],
) -> jax.Array:
    """The loss `kind` (one of `JACOBIAN_LOSSES`) on the Jacobian of one sample, from some of its columns.

    The columns must be drawn at random with equal probability. The loss is then unbiased: its mean over draws is the
    loss on all columns. `zero` is 1 where the true entry is zero. `zeros` is the share of true zeros in the whole
    Jacobian, not in the drawn columns. `sae` is the mean over true zeros, and 0 if there are none.
    """
    if kind == "l1":
        return jnp.mean(jnp.abs(predicted))
    if kind == "mse":
        return jnp.mean((predicted - truth) ** 2)
    if kind == "mae":
        return jnp.mean(jnp.abs(predicted - truth))
    return jnp.mean(jnp.abs(predicted) * zero) / jnp.where(zeros > 0, zeros, 1)


def random_columns(key: jax.Array, samples: int, inputs: int, count: int | None) -> Int[Array, "sample column"]:
    """Columns that the loss uses in each sample: `count` distinct random ones, or all columns if `count` is None."""
    if count is None or count >= inputs:
        return jnp.broadcast_to(jnp.arange(inputs), (samples, inputs))
    return jax.lax.top_k(jax.random.uniform(key, (samples, inputs)), count)[1]
