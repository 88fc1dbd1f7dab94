"""Effect sizes as ratios of sums over episodes, with intervals from resampled episodes, and two-sided p-values."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.resampling import episode_draws

_ELEMENTS = 4_000_000
"""Number of array elements that a null model holds at a time."""


@dataclass(frozen=True)
class Effect:
    """What a null model says about one task and policy; NaN where it says nothing."""

    effect: float = np.nan
    """The effect size."""
    low: float = np.nan
    high: float = np.nan
    """The ends of its interval, from resampling episodes within study seeds."""
    expected: float = np.nan
    """The effect size that the null model expects."""
    null_low: float = np.nan
    null_high: float = np.nan
    """The ends of the central interval of the effect size under the null model."""
    p_value: float = np.nan
    """Two-sided; the observed effect counts as one of the draws from the null model."""


def ratio_of_sums(
    numerator: Sequence[np.ndarray], denominator: Sequence[np.ndarray], resampling: ResamplingSettings
) -> tuple[float, float, float]:
    """(ratio, low, high): the sum of `numerator` over that of `denominator`, with a percentile bootstrap interval.

    One array per study seed: [episode], or [episode, episode] for pairs, where a pair counts as often as the product of
    its episodes' numbers of draws. NaN if the denominators sum to 0; no interval unless a study seed has two episodes
    with a denominator other than 0.
    """
    total = sum(float(array.sum()) for array in denominator)
    if not total:
        return np.nan, np.nan, np.nan
    ratio = sum(float(array.sum()) for array in numerator) / total
    if max(np.count_nonzero(array.reshape(len(array), -1).any(1)) for array in denominator) < 2:
        return ratio, np.nan, np.nan
    draws = _draws(tuple(map(len, denominator)), resampling.resamples, resampling.seed)
    above, below = (sum(map(_weighted, draws, arrays)) for arrays in (numerator, denominator))
    ratios = np.divide(above, below, out=np.full(resampling.resamples, np.nan), where=below != 0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        low, high = np.nanquantile(ratios, tails(resampling.confidence))
    return ratio, float(low), float(high)


def two_sided(observed: float, null: np.ndarray, expected: float) -> float:
    """Share of draws at least as far from `expected` as `observed`, which counts as a draw; NaN if they never differ."""
    slack = 1e-9 * max(1.0, abs(expected), abs(observed))
    if not (np.abs(null - null[0]) > slack).any() and abs(observed - null[0]) <= slack:
        return np.nan
    extreme = np.abs(null - expected) >= abs(observed - expected) - slack
    return (1 + int(extreme.sum())) / (1 + len(null))


def tails(confidence: float) -> list[float]:
    """The levels of the ends of a central interval."""
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def batches(draws: int, size: int) -> Iterator[int]:
    """Splits `draws` draws of `size` elements each into batches that fit into memory."""
    most = max(1, _ELEMENTS // max(1, size))
    while draws > 0:
        yield min(most, draws)
        draws -= most


@functools.lru_cache(maxsize=4)
def _draws(episodes: tuple[int, ...], resamples: int, seed: int) -> list[np.ndarray]:
    """How often each episode is drawn, [resample, episode] per study seed."""
    draws = list(episode_draws(episodes, resamples, seed))
    return [np.array([draw[number] for draw in draws], float) for number in range(len(episodes))]


def _weighted(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The sum over episodes (or pairs of episodes) in each resample, [resample]."""
    return weights @ values if values.ndim == 1 else np.einsum("re,ef,rf->r", weights, values, weights)
