"""What a trained world model says of episodes that it has not seen: next states, Jacobians, masks, rollouts."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float

from dynamic_sparsity.world_models.data import ROLLOUT_EVERY, Standardiser, Transitions
from dynamic_sparsity.world_models.networks import Network

_BATCH = 64


class Evaluator:
    """Asks one network, in the units of the state.

    Its programs take weights and scales as arguments: networks of one kind and size share them through the compile cache,
    whatever they were trained on. `change`: the network predicts how the state changes.
    """

    def __init__(self, network: Network, standardise: Standardiser, *, change: bool) -> None:
        self._network, self._standardise, self._change = network, standardise, change
        graph, self._weights = nnx.split(network)
        merged = lambda weights: nnx.merge(graph, weights)  # noqa: E731
        self._jacobians = jax.jit(lambda w, x: jax.lax.map(jax.jacfwd(merged(w)), x, batch_size=_BATCH))
        self._masks = jax.jit(lambda w, x: jax.lax.map(merged(w).mask, x, batch_size=_BATCH))
        self._predict = jax.jit(lambda w, x: jax.vmap(merged(w))(x))
        self._rollouts = jax.jit(lambda w, *given: _rolled(merged(w), *given, change=change), static_argnums=1)

    def jacobians(self, episode: Transitions) -> Float[np.ndarray, "step out_dim in_dim"]:
        """Of the predicted next state."""
        given = self._standardise
        matrix = (
            np.asarray(self._jacobians(self._weights, self._inputs(episode)))
            * given.output_scale[:, None]
            / given.input_scale
        )
        return matrix + np.eye(*matrix.shape[1:]) if self._change else matrix

    def masks(self, episode: Transitions) -> Bool[np.ndarray, "step out_dim in_dim"] | None:
        """Masks of the network; None for one without."""
        if self._network.mask(jnp.zeros(episode.inputs.shape[1], jnp.float32)) is None:
            return None
        return np.asarray(self._masks(self._weights, self._inputs(episode)))

    def predictions(self, episode: Transitions) -> Float[np.ndarray, "step out_dim"]:
        """The next state."""
        given = self._standardise
        moved = np.asarray(self._predict(self._weights, self._inputs(episode))) * given.output_scale + given.output_mean
        return moved + episode.inputs[:, : moved.shape[1]] if self._change else moved

    def rollout_errors(self, episode: Transitions, horizons: Sequence[int]) -> Float[np.ndarray, " horizon"]:
        """Root mean squared error of the state, in units of its standard deviation, after rolling the model out.

        `episode` holds consecutive steps of one episode. A rollout starts at every fifth step from which the horizon fits,
        under the recorded controls. NaN for a horizon longer than the episode; inf where a rollout diverges.
        """
        states = episode.outputs.shape[1]
        recorded, controls = episode.inputs[:, :states], episode.inputs[:, states:]
        truth = recorded + episode.outputs if self._change else episode.outputs
        longest = min(max(horizons), len(recorded))
        given = self._standardise
        scales = (given.input_mean, given.input_scale, given.output_mean, given.output_scale)
        arrays = map(_single, (recorded, controls, truth, *scales))
        found = np.asarray(self._rollouts(self._weights, longest, *arrays))
        return np.array(
            [np.where(np.isnan(found[h - 1]), np.inf, found[h - 1]) if h <= longest else np.nan for h in horizons]
        )

    def _inputs(self, episode: Transitions) -> jax.Array:
        return _single(self._standardise(episode).inputs)


def _rolled(
    network: Network,
    longest: int,
    recorded: jax.Array,
    controls: jax.Array,
    truth: jax.Array,
    mean: jax.Array,
    scale: jax.Array,
    out_mean: jax.Array,
    out_scale: jax.Array,
    *,
    change: bool,
) -> jax.Array:
    """Errors after 1, 2, … `longest` steps."""
    last, starts = len(recorded) - 1, jnp.arange(0, len(recorded), ROLLOUT_EVERY)

    def step(state: jax.Array, after: jax.Array) -> tuple[jax.Array, jax.Array]:
        at = jnp.minimum(starts + after, last)
        x = (jnp.concatenate([state, controls[at]], axis=1) - mean) / scale
        moved = jax.vmap(network)(x) * out_scale + out_mean
        state = state + moved if change else moved
        error = (((state - truth[at]) / scale[: state.shape[1]]) ** 2).mean(axis=1)
        there = starts + after <= last
        return state, jnp.sqrt(jnp.where(there, error, 0).sum() / jnp.maximum(there.sum(), 1))

    return jax.lax.scan(step, recorded[starts], jnp.arange(longest))[1]


def _single(array: np.ndarray) -> jax.Array:
    return jnp.asarray(array, jnp.float32)
