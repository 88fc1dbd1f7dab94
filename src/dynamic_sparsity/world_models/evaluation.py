"""What a trained world model says of episodes that it has not seen: next states, Jacobians, masks, rollouts."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dynamic_sparsity.world_models.data import Standardiser, Transitions
from dynamic_sparsity.world_models.networks import Network

_BATCH = 64


def jacobians(network: Network, inputs: Float[np.ndarray, "step in_dim"]) -> Float[np.ndarray, "step out_dim in_dim"]:
    """Jacobian of the network at standardised inputs, in batches that stay in the cache."""
    return np.asarray(jax.jit(lambda x: jax.lax.map(jax.jacfwd(network), x, batch_size=_BATCH))(_single(inputs)))


def masks(network: Network, inputs: Float[np.ndarray, "step in_dim"]) -> np.ndarray | None:
    """Masks of the network at standardised inputs, [step, out_dim, in_dim]; None for a network without."""
    if network.mask(jnp.zeros(inputs.shape[1])) is None:
        return None
    return np.asarray(jax.jit(lambda x: jax.lax.map(network.mask, x, batch_size=_BATCH))(_single(inputs)))


def predictions(network: Network, inputs: Float[np.ndarray, "step in_dim"]) -> Float[np.ndarray, "step out_dim"]:
    """Standardised predictions."""
    return np.asarray(jax.jit(jax.vmap(network))(_single(inputs)))


def rollout_errors(
    network: Network, standardise: Standardiser, episode: Transitions, horizons: Sequence[int], *, change: bool
) -> Float[np.ndarray, " horizon"]:
    """Root mean squared error of the state, in units of its standard deviation, after rolling the model out.

    `episode` holds consecutive steps of one episode, not standardised. A rollout starts at every step from which the
    horizon fits, under the recorded controls. NaN for a horizon longer than the episode; inf where a rollout diverges.
    """
    states = episode.outputs.shape[1]
    longest = min(max(horizons), len(episode.inputs))
    starts = len(episode.inputs)
    scale, mean = (jnp.asarray(array, jnp.float32) for array in (standardise.input_scale, standardise.input_mean))
    out_scale, out_mean = (jnp.asarray(array, jnp.float32) for array in (standardise.output_scale, standardise.output_mean))
    recorded, controls = _single(episode.inputs[:, :states]), _single(episode.inputs[:, states:])
    truth = recorded + _single(episode.outputs) if change else _single(episode.outputs)

    @jax.jit
    def errors(recorded: jax.Array, controls: jax.Array, truth: jax.Array) -> jax.Array:
        def step(state: jax.Array, after: jax.Array) -> tuple[jax.Array, jax.Array]:
            at = jnp.minimum(jnp.arange(starts) + after, starts - 1)
            x = (jnp.concatenate([state, controls[at]], axis=1) - mean) / scale
            moved = jax.vmap(network)(x) * out_scale + out_mean
            state = state + moved if change else moved
            error = (((state - truth[at]) / scale[:states]) ** 2).mean(axis=1)
            there = jnp.arange(starts) + after < starts
            return state, jnp.sqrt(jnp.where(there, error, 0).sum() / jnp.maximum(there.sum(), 1))

        return jax.lax.scan(step, recorded, jnp.arange(longest))[1]

    found = np.asarray(errors(recorded, controls, truth))
    return np.array([np.nan_to_num(found[h - 1], nan=np.inf) if h <= longest else np.nan for h in horizons])


def _single(array: np.ndarray) -> jax.Array:
    return jnp.asarray(array, jnp.float32)
