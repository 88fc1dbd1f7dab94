"""Groups of entries whose zero series are nearly equal, and how stable they are under resampling of episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.effects import tails
from dynamic_sparsity.sparsity.clustering.series import Episode, ZeroSeries
from dynamic_sparsity.sparsity.patterns import NO_PATTERN
from dynamic_sparsity.sparsity.resampling import episode_draws
from dynamic_sparsity.stores.schema import IN, OUT

CUT = 0.1
"""Distance (1 - phi) at which the tree of series is cut: series of a group correlate by 0.9 on average."""
MOST_RESAMPLES = 100
"""Largest number of resamples that are clustered."""


def summarise(series: ZeroSeries, resampling: ResamplingSettings) -> xr.Dataset:
    """Groups of the entries that switch, from the phi coefficients (correlations) of their zero series.

    - `group` (out_dim, in_dim): number of the entry's group, by falling number of entries; -1: it never switches;
    - `group_stability`, `_low`, `_high`: mean and central interval over resamples of the adjusted Rand index between
      the groups of the resampled episodes and these, over entries. NaN for fewer than two entries, or if no study seed
      has two episodes.
    """
    number = series.number
    group = np.full(number.shape, -1, np.int32)
    stability = (np.nan, np.nan, np.nan)
    if len(series.entries):
        per_seed = [[_counts(episode) for episode in of_seed] for of_seed in series.seeds]
        ones = [np.ones(len(of_seed)) for of_seed in per_seed]
        found = _ranked(clusters(phi(*_pooled(per_seed, ones))), series.entries)
        group[number >= 0] = found[number[number >= 0]]
        stability = _stability(per_seed, found, series.entries, resampling)
    names = ("group_stability", "group_stability_low", "group_stability_high")
    return xr.Dataset({"group": ((OUT, IN), group), **dict(zip(names, stability, strict=True))})


def phi(steps: float, zeros: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Correlations of zero series, [series, series]; 0 with a series that does not vary, 1 with itself.

    phi = (n n_11 - n_1 m_1) / sqrt(n_1 (n - n_1) m_1 (n - m_1)), where n is the number of steps, n_1 and m_1 are those
    at which either series is zero (`zeros`), and n_11 those at which both are (`both`).
    """
    spread = np.sqrt(zeros * (steps - zeros))
    room = np.outer(spread, spread)
    correlation = np.divide(steps * both - np.outer(zeros, zeros), room, out=np.zeros_like(room), where=room > 0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def clusters(correlation: np.ndarray) -> np.ndarray:
    """The cluster of each series, [series]: average linkage of the distances 1 - phi, cut at `CUT`."""
    if len(correlation) < 2:
        return np.zeros(len(correlation), int)
    distance = squareform(np.clip(1 - correlation, 0, None), checks=False)
    return fcluster(linkage(distance, "average"), CUT, "distance") - 1


def _counts(episode: Episode) -> tuple[float, np.ndarray, np.ndarray]:
    """Numbers of steps, of zeros of each series, and of steps at which two series are zero. Only steps with a pattern."""
    zero = (episode.value[episode.pattern != NO_PATTERN] == 1).astype(np.float32)
    return float(len(zero)), zero.sum(0), zero.T @ zero


def _pooled(
    per_seed: Sequence[Sequence[tuple[float, np.ndarray, np.ndarray]]], weights: Sequence[np.ndarray]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Sums of the counts over episodes, each weighted by how often it is drawn."""
    weight = np.concatenate(weights).astype(float)
    counts = [of_episode for of_seed in per_seed for of_episode in of_seed]
    steps, zeros, both = (sum(w * of[place] for w, of in zip(weight, counts, strict=True) if w) for place in range(3))
    return steps, zeros, both


def _ranked(cluster: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Clusters renumbered by falling number of entries."""
    order = np.argsort(-np.bincount(cluster, entries), kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[cluster]


def _stability(
    per_seed: Sequence[Sequence[tuple[float, np.ndarray, np.ndarray]]],
    found: np.ndarray,
    entries: np.ndarray,
    resampling: ResamplingSettings,
) -> tuple[float, float, float]:
    sizes = [len(of_seed) for of_seed in per_seed]
    if max(sizes) < 2 or entries.sum() < 2:
        return np.nan, np.nan, np.nan
    scores: dict[bytes, float] = {}
    order = []
    for draw in episode_draws(sizes, min(MOST_RESAMPLES, resampling.resamples), resampling.seed):
        key = np.concatenate(draw).tobytes()
        order.append(key)
        if key not in scores:
            resampled = clusters(phi(*_pooled(per_seed, draw)))
            scores[key] = rand_index(found, resampled, entries)
    values = [scores[key] for key in order]
    low, high = np.quantile(values, tails(resampling.confidence))
    return float(np.mean(values)), float(low), float(high)


def rand_index(one: np.ndarray, other: np.ndarray, entries: np.ndarray) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985) of two clusterings of series, each counted as often as its entries.

    1: the same clusters; 0: no more alike than random clusters of the same sizes.
    """
    return float(adjusted_rand_score(np.repeat(one, entries), np.repeat(other, entries)))
