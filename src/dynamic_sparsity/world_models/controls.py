"""What world models are held against: nothing changes, linear fits, and what can be known of the zeros without a model."""

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
    """What each of `settings.world_models.CONTROLS` says, from the training part of a split; in the units of the state.

    `persistence`: nothing changes; `linear`: one least-squares fit of the next state; `neighbours`: a fit around each step,
    over its nearest 50 training steps, or twice as many as there are inputs where that is more; `static_oracle`: how often
    each entry is non-zero in the episode itself; `truth`: whether it is. The first two predict states.
    """

    def __init__(self, data: Transitions, split: Mapping[str, list[int]], labels: Sequence[Sequence[str]]) -> None:
        """`data`: of next states, not of changes; `labels`: of the inputs and of the outputs."""
        training = data.part(split, "training")
        self._standardise = Standardiser.of(training, *labels)
        self._training = self._standardise(training)
        self._slopes = _slopes(self._training.inputs, self._training.outputs)
        inputs = self._training.inputs
        count = min(max(_NEIGHBOURS, 2 * inputs.shape[1]), len(inputs))
        self._nearest = NearestNeighbors(n_neighbors=count).fit(inputs)
        validation = data.part(split, "validation")
        self.thresholds = {
            name: matched_threshold(magnitude, validation.zero) for name, magnitude in self.magnitudes(validation).items()
        }
        """Below which as many entries of the validation episodes fall as are zero."""

    def magnitudes(self, episode: Transitions) -> dict[str, np.ndarray]:
        """Of the scaled entries at the steps of an episode, by control, [step, out_dim, in_dim]."""
        given, training = self._standardise, self._training
        around = self._nearest.kneighbors(given(episode).inputs, return_distance=False)
        local = np.stack([_slopes(training.inputs[chosen], training.outputs[chosen]) for chosen in around])
        same = np.eye(*episode.zero.shape[1:]) * given.input_scale / given.output_scale[:, None]
        return {
            "persistence": np.broadcast_to(same, episode.zero.shape),
            "linear": np.broadcast_to(np.abs(self._slopes), episode.zero.shape),
            "neighbours": np.abs(local),
            "static_oracle": scores.static_oracle(episode.zero, episode.known),
            "truth": (~episode.zero).astype(float),
        }

    @property
    def predictors(self) -> dict[str, Callable[[Float[np.ndarray, "step in_dim"]], States]]:
        """Of the controls that predict, by name: the next states after some inputs."""
        given = self._standardise
        states = len(given.output_mean)

        def linear(inputs: np.ndarray) -> np.ndarray:
            standardised = (inputs - given.input_mean) / given.input_scale
            return standardised @ self._slopes.T * given.output_scale + given.output_mean

        return {"persistence": lambda inputs: inputs[:, :states], "linear": linear}

    @property
    def state_scale(self) -> Float[np.ndarray, " out_dim"]:
        """Standard deviations of the state in training, in which errors of rollouts are."""
        return self._standardise.input_scale[: len(self._standardise.output_scale)]

    @property
    def next_state_scale(self) -> Float[np.ndarray, " out_dim"]:
        """Standard deviations of the next state in training, in which errors of one step are."""
        return self._standardise.output_scale


def rollout_errors(
    predict: Callable[[np.ndarray], States],
    episode: Transitions,
    horizons: Sequence[int],
    scale: Float[np.ndarray, " out_dim"],
) -> Float[np.ndarray, " horizon"]:
    """Root mean squared error of the state over `scale`, after rolling out from every fifth step from which a horizon fits.

    `episode` holds consecutive steps of one episode, whose controls are taken. NaN for a horizon longer than the episode;
    inf where a rollout diverges.
    """
    recorded, controls = np.split(episode.inputs, [episode.outputs.shape[1]], axis=1)
    starts = np.arange(0, len(recorded), ROLLOUT_EVERY)
    found, state = np.full(max(horizons) + 1, np.nan), recorded[starts]
    with np.errstate(over="ignore", invalid="ignore"):
        for after in range(min(max(horizons), len(recorded))):
            at = (starts + after)[starts + after < len(recorded)]
            state = predict(np.concatenate([state[: len(at)], controls[at]], axis=1))
            error = np.sqrt((((state - episode.outputs[at]) / scale) ** 2).mean())
            found[after + 1] = np.inf if np.isnan(error) else error
    return found[list(horizons)]


def _slopes(inputs: Float[np.ndarray, "step in_dim"], outputs: Float[np.ndarray, "step out_dim"]) -> np.ndarray:
    """Slopes of a least-squares fit with an intercept, [out_dim, in_dim]; the smallest ones where many fit."""
    centred = inputs - inputs.mean(axis=0)
    return np.linalg.lstsq(centred, outputs - outputs.mean(axis=0), rcond=1e-8)[0].T
