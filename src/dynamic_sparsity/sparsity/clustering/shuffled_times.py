"""Do patterns persist? Null model: the steps of an episode in random order."""

from __future__ import annotations

import numpy as np

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.effects import Effect, batches, ratio_of_sums, tails, two_sided
from dynamic_sparsity.sparsity.clustering.series import ZeroSeries
from dynamic_sparsity.sparsity.patterns import NO_PATTERN


def compare(series: ZeroSeries, draws: int, resampling: ResamplingSettings) -> Effect:
    """Switches of the pattern, divided by the number expected if the steps of each episode are shuffled.

    1: no persistence; 0: the pattern never switches although there are several. Steps without a pattern stay in place.
    NaN if no episode has two patterns.
    """
    patterns = [episode.pattern for episode in series.episodes]
    observed = np.array([switches(pattern) for pattern in patterns], float)
    expected = np.array([_pairs(pattern) * expected_rate(pattern) for pattern in patterns])
    effect, low, high = ratio_of_sums(series.by_seed(observed), series.by_seed(expected), resampling)
    if np.isnan(effect):
        return Effect()
    rng = np.random.default_rng(resampling.seed)
    null = sum(_shuffled(pattern, draws, rng) for pattern in patterns) / expected.sum()
    return Effect(effect, low, high, 1.0, *np.quantile(null, tails(resampling.confidence)), two_sided(effect, null, 1.0))


def expected_rate(pattern: np.ndarray) -> float:
    """Probability that two steps of a shuffled episode differ: 1 - sum of n_p (n_p - 1) / (n (n - 1)).

    n_p of the n steps have pattern p; two places of a random order hold a given ordered pair of steps with equal
    probability, and n_p (n_p - 1) of these pairs are of pattern p twice. 0 for fewer than two steps.
    """
    count = np.bincount(pattern[pattern != NO_PATTERN])
    steps = int(count.sum())
    return 1 - float((count * (count - 1)).sum()) / (steps * (steps - 1)) if steps > 1 else 0.0


def _pairs(pattern: np.ndarray) -> int:
    return int(_has_pair(pattern).sum())


def _has_pair(pattern: np.ndarray) -> np.ndarray:
    return (pattern[1:] != NO_PATTERN) & (pattern[:-1] != NO_PATTERN)


def switches(pattern: np.ndarray) -> int:
    """Number of switches of one episode's patterns."""
    return int(((pattern[1:] != pattern[:-1]) & _has_pair(pattern)).sum())


def _shuffled(pattern: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of switches of the shuffled episode, [draw]."""
    place = np.flatnonzero(pattern != NO_PATTERN)
    pairs = np.flatnonzero(np.diff(place) == 1)
    counts = []
    for batch in batches(draws, len(place)):
        shuffled = rng.permuted(np.broadcast_to(pattern[place], (batch, len(place))), axis=1)
        counts.append((shuffled[:, pairs] != shuffled[:, pairs + 1]).sum(1))
    return np.concatenate(counts)
