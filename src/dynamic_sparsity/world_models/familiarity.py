"""Whether the training episodes contain states like those of a test episode.

A test episode in which the cheetah lies on its back, for example, does not test a model that was trained on running.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.neighbors import NearestNeighbors

from dynamic_sparsity.definitions.learnt import NOVEL_BEYOND
from dynamic_sparsity.world_models.data import Transitions


def novel_shares(training: Transitions, episodes: Sequence[Transitions]) -> Float[np.ndarray, " episode"]:
    """Share of novel steps in each of `episodes`; NaN if there is only one training episode.

    A step is novel if its distance to the nearest training step exceeds the 99 % quantile (`NOVEL_BEYOND`) of the
    distances from training steps to the nearest step of another training episode. So 1 % of the training steps are
    novel by definition. Distances are Euclidean, between states in standard deviations of the training steps.
    """
    scale = training.inputs.std(axis=0)[: training.outputs.shape[1]]

    def states(transitions: Transitions) -> np.ndarray:
        return transitions.inputs[:, : len(scale)] / scale

    numbers = np.unique(training.episode).tolist()
    if len(numbers) < 2:
        return np.full(len(episodes), np.nan)
    among_training = [
        _distances(states(training)[training.episode != number], states(training.of_episodes([number])))
        for number in numbers
    ]
    limit = np.quantile(np.concatenate(among_training), NOVEL_BEYOND)
    return np.array([(_distances(states(training), states(episode)) > limit).mean() for episode in episodes])


def _distances(reference: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Distance from each state to the nearest reference state."""
    return NearestNeighbors(n_neighbors=1).fit(reference).kneighbors(states)[0][:, 0]
