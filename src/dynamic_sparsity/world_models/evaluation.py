"""Predictions of a trained world model on given episodes: next states, Jacobians, masks and rollout errors."""

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
    """Evaluates one network on episodes; all results are in the units of the state.

    Set `change` if the network predicts changes of the state instead of next states.

    The compiled programs take weights and scales as arguments, so that networks of the same kind and size share them
    through the compile cache, whatever they were trained on.
    """

    def __init__(self, network: Network, standardiser: Standardiser, *, change: bool) -> None:
        self._network, self._standardiser, self._change = network, standardiser, change
        graph, self._weights = nnx.split(network)
        merged = lambda weights: nnx.merge(graph, weights)  # noqa: E731
        self._jacobians = jax.jit(lambda w, x: jax.lax.map(jax.jacfwd(merged(w)), x, batch_size=_BATCH))
        self._masks = jax.jit(lambda w, x: jax.lax.map(merged(w).mask, x, batch_size=_BATCH))
        self._predict = jax.jit(lambda w, x: jax.vmap(merged(w))(x))
        self._rollouts = jax.jit(lambda w, *arguments: _rolled(merged(w), *arguments, change=change), static_argnums=1)

    def jacobians(self, episode: Transitions) -> Float[np.ndarray, "step out_dim in_dim"]:
        """Jacobians of the predicted next state with respect to state and control."""
        standardiser = self._standardiser
        matrix = (
            np.asarray(self._jacobians(self._weights, self._inputs(episode)))
            * standardiser.output_scale[:, None]
            / standardiser.input_scale
        )
        return matrix + np.eye(*matrix.shape[1:]) if self._change else matrix

    def masks(self, episode: Transitions) -> Bool[np.ndarray, "step out_dim in_dim"] | None:
        """Masks of the network at every step, or None if it has none."""
        if self._network.mask(jnp.zeros(episode.inputs.shape[1], jnp.float32)) is None:
            return None
        return np.asarray(self._masks(self._weights, self._inputs(episode)))

    def predictions(self, episode: Transitions) -> Float[np.ndarray, "step out_dim"]:
        """Predicted next states."""
        standardiser = self._standardiser
        standardised = np.asarray(self._predict(self._weights, self._inputs(episode)))
        outputs = standardised * standardiser.output_scale + standardiser.output_mean
        return outputs + episode.inputs[:, : outputs.shape[1]] if self._change else outputs

    def rollout_errors(self, episode: Transitions, horizons: Sequence[int]) -> Float[np.ndarray, " horizon"]:
        """Root mean squared error of the state, in units of its standard deviation in training, after each horizon.

        The mean is over the state variables and over the rollouts that the horizon fits.

        `episode` holds consecutive steps of one episode. Rollouts start at every fifth step and use the recorded
        controls. The error is NaN if a horizon is longer than the episode and inf if a rollout diverges.
        """
        states = episode.outputs.shape[1]
        recorded, controls = episode.inputs[:, :states], episode.inputs[:, states:]
        truth = recorded + episode.outputs if self._change else episode.outputs
        longest = min(max(horizons), len(recorded))
        standardiser = self._standardiser
        scales = (standardiser.input_mean, standardiser.input_scale, standardiser.output_mean, standardiser.output_scale)
        arrays = map(_single, (recorded, controls, truth, *scales))
        errors = np.asarray(self._rollouts(self._weights, longest, *arrays))
        return np.array(
            [np.where(np.isnan(errors[h - 1]), np.inf, errors[h - 1]) if h <= longest else np.nan for h in horizons]
        )

    def _inputs(self, episode: Transitions) -> jax.Array:
        return _single(self._standardiser(episode).inputs)


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
    """Root mean squared errors after 1, 2, … `longest` steps, over the rollouts that still lie within the episode."""
    last, starts = len(recorded) - 1, jnp.arange(0, len(recorded), ROLLOUT_EVERY)

    def step(state: jax.Array, elapsed: jax.Array) -> tuple[jax.Array, jax.Array]:
        steps = jnp.minimum(starts + elapsed, last)
        x = (jnp.concatenate([state, controls[steps]], axis=1) - mean) / scale
        outputs = jax.vmap(network)(x) * out_scale + out_mean
        state = state + outputs if change else outputs
        squared_errors = (((state - truth[steps]) / scale[: state.shape[1]]) ** 2).mean(axis=1)
        running = starts + elapsed <= last
        return state, jnp.sqrt(jnp.where(running, squared_errors, 0).sum() / jnp.maximum(running.sum(), 1))

    return jax.lax.scan(step, recorded[starts], jnp.arange(longest))[1]


def _single(array: np.ndarray) -> jax.Array:
    return jnp.asarray(array, jnp.float32)
