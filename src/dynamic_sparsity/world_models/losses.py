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


def prediction_and_columns(
    network: Network, x: Float[Array, " in"], key: jax.Array, columns: Int[Array, " column"]
) -> tuple[Float[Array, " out"], Float[Array, "column out"]]:
    """The prediction in training (`Network.sampled`), and columns of its Jacobian, forwards in the same pass."""
    prediction, along = jax.linearize(lambda x: network.sampled(x, key), x)
    return prediction, jax.vmap(along)(jax.nn.one_hot(columns, x.shape[0], dtype=x.dtype))


def jacobian_loss(
    kind: str,
    ours: Float[Array, "column out"],
    truth: Float[Array, "column out"],
    zero: Float[Array, "column out"],
    zeros: Float[Array, ""],
) -> jax.Array:
    """A loss on the Jacobian of one sample, from some of its columns drawn at random with equal chances.

    Unbiased: its mean over draws of columns is the loss on all of them. `zero` is 1 where the truth is zero; `zeros` is the
    share of such entries in the whole Jacobian, not in these columns. `sae` is the mean over the entries whose truth is
    zero, 0 without any.
    """
    if kind == "l1":
        return jnp.mean(jnp.abs(ours))
    if kind == "mse":
        return jnp.mean((ours - truth) ** 2)
    if kind == "mae":
        return jnp.mean(jnp.abs(ours - truth))
    return jnp.mean(jnp.abs(ours) * zero) / jnp.where(zeros > 0, zeros, 1)


def random_columns(key: jax.Array, samples: int, inputs: int, count: int | None) -> Int[Array, "sample column"]:
    """Columns to look at in each sample: `count` different ones, or all for None."""
    if count is None or count >= inputs:
        return jnp.broadcast_to(jnp.arange(inputs), (samples, inputs))
    return jax.lax.top_k(jax.random.uniform(key, (samples, inputs)), count)[1]
