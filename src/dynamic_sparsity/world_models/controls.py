"""Controls that world models are compared with: simple predictors, local fits, and what the true zeros alone tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from sklearn.neighbors import NearestNeighbors

from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.data import ROLLOUT_EVERY, Standardiser, Transitions
from dynamic_sparsity.world_models.thresholds import matched_threshold

_NEIGHBOURS = 50
States = Float[np.ndarray, "step out_dim"]


class Controls:
    """The controls of `settings.world_models.CONTROLS`, fitted to the training part of a split.

    - `persistence`: the next state equals the current one.
    - `linear`: one least-squares fit of the next state.
    - `neighbours`: one least-squares fit around each step, over its nearest training steps. Their number is 50 or twice
      the number of inputs, whichever is larger, and at most all training steps.
    - `static_oracle`: how often each entry is non-zero in the episode that is scored.
    - `truth`: 1 for a non-zero entry, 0 for a zero entry.

    Only `persistence` and `linear` predict states. Their predictions are in the units of the state.
    """

    def __init__(self, data: Transitions, split: Mapping[str, list[int]], labels: Sequence[Sequence[str]]) -> None:
        """Fit the controls. `labels` names the inputs and the outputs.

        The outputs of `data` must be next states, not changes of state. Raises UserError if a variable is constant in
        training, or if no step of the training or validation episodes has a finite Jacobian.
        """
        training = data.part(split, "training")
        self._standardiser = Standardiser.of(training, *labels)
        self._training = self._standardiser(training)
        self._slopes = _slopes(self._training.inputs, self._training.outputs)
        inputs = self._training.inputs
        count = min(max(_NEIGHBOURS, 2 * inputs.shape[1]), len(inputs))
        self._nearest = NearestNeighbors(n_neighbors=count).fit(inputs)
        validation = data.part(split, "validation")
        self.thresholds = {
            name: matched_threshold(magnitude, validation.zero) for name, magnitude in self.magnitudes(validation).items()
        }
        """Threshold of each control, by name: as many entries of the validation episodes lie below it as are zero."""

    def magnitudes(self, episode: Transitions) -> dict[str, np.ndarray]:
        """Magnitudes of the scaled entries at every step of an episode, by control, each [step, out_dim, in_dim].

        An entry is scaled by the standard deviation of its input over that of its output.
        """
        standardiser, training = self._standardiser, self._training
        nearest = self._nearest.kneighbors(standardiser(episode).inputs, return_distance=False)
        local = np.stack([_slopes(training.inputs[steps], training.outputs[steps]) for steps in nearest])
        identity = np.eye(*episode.zero.shape[1:]) * standardiser.input_scale / standardiser.output_scale[:, None]
        return {
            "persistence": np.broadcast_to(identity, episode.zero.shape),
            "linear": np.broadcast_to(np.abs(self._slopes), episode.zero.shape),
            "neighbours": np.abs(local),
            "static_oracle": scores.static_oracle(episode.zero, episode.known),
            "truth": (~episode.zero).astype(float),
        }

    @property
    def predictors(self) -> dict[str, Callable[[Float[np.ndarray, "step in_dim"]], States]]:
        """The controls that predict states: by name, a function from inputs to next states."""
        standardiser = self._standardiser
        states = len(standardiser.output_mean)

        def linear(inputs: np.ndarray) -> np.ndarray:
            standardised = (inputs - standardiser.input_mean) / standardiser.input_scale
            return standardised @ self._slopes.T * standardiser.output_scale + standardiser.output_mean

        return {"persistence": lambda inputs: inputs[:, :states], "linear": linear}

    @property
    def state_scale(self) -> Float[np.ndarray, " out_dim"]:
        """Standard deviations of the state in training: the units of rollout errors."""
        return self._standardiser.input_scale[: len(self._standardiser.output_scale)]

    @property
    def next_state_scale(self) -> Float[np.ndarray, " out_dim"]:
        """Standard deviations of the next state in training: the units of one-step errors."""
        return self._standardiser.output_scale


def rollout_errors(
    predict: Callable[[np.ndarray], States],
    episode: Transitions,
    horizons: Sequence[int],
    scale: Float[np.ndarray, " out_dim"],
) -> Float[np.ndarray, " horizon"]:
    """Root mean squared error of the state, in units of `scale`, after `predict` was rolled out for each horizon.

    `episode` holds consecutive steps of one episode. Rollouts start at every fifth step and use the recorded controls;
    a horizon averages over the rollouts that it fits. The error is NaN if a horizon is longer than the episode and inf
    if a rollout diverges.
    """
    recorded, controls = np.split(episode.inputs, [episode.outputs.shape[1]], axis=1)
    starts = np.arange(0, len(recorded), ROLLOUT_EVERY)
    errors, state = np.full(max(horizons) + 1, np.nan), recorded[starts]
    with np.errstate(over="ignore", invalid="ignore"):
        for elapsed in range(min(max(horizons), len(recorded))):
            steps = (starts + elapsed)[starts + elapsed < len(recorded)]
            state = predict(np.concatenate([state[: len(steps)], controls[steps]], axis=1))
            error = np.sqrt((((state - episode.outputs[steps]) / scale) ** 2).mean())
            errors[elapsed + 1] = np.inf if np.isnan(error) else error
    return errors[list(horizons)]


def _slopes(inputs: Float[np.ndarray, "step in_dim"], outputs: Float[np.ndarray, "step out_dim"]) -> np.ndarray:
    """Slopes of a least-squares fit with an intercept, [out_dim, in_dim]; the smallest ones if many fit."""
    centred = inputs - inputs.mean(axis=0)
    return np.linalg.lstsq(centred, outputs - outputs.mean(axis=0), rcond=1e-8)[0].T
