"""Whether the training episodes hold states like those of a test episode: a cheetah on its back is no test of running."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.neighbors import NearestNeighbors

from dynamic_sparsity.definitions.learnt import NOVEL_BEYOND
from dynamic_sparsity.world_models.data import Transitions


def novel_shares(training: Transitions, episodes: Sequence[Transitions]) -> Float[np.ndarray, " episode"]:
    """Share of novel steps in each episode.

    The distance of two steps is Euclidean, between states in standard deviations of the training steps. Among these
    themselves 1 % are novel by definition. NaN where there is only one training episode, which has none to be compared with.
    """
    scale = training.inputs.std(axis=0)[: training.outputs.shape[1]]

    def states(part: Transitions) -> np.ndarray:
        return part.inputs[:, : len(scale)] / scale

    numbers = np.unique(training.episode).tolist()
    if len(numbers) < 2:
        return np.full(len(episodes), np.nan)
    among = [
        _distances(states(training)[training.episode != number], states(training.of_episodes([number])))
        for number in numbers
    ]
    limit = np.quantile(np.concatenate(among), NOVEL_BEYOND)
    return np.array([(_distances(states(training), states(episode)) > limit).mean() for episode in episodes])


def _distances(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """From each state to the nearest known one."""
    return NearestNeighbors(n_neighbors=1).fit(known).kneighbors(asked)[0][:, 0]
