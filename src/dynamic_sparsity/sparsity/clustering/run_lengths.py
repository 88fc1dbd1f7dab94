"""Groups of runs by their length, and whether a memoryless law makes as many groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.memoryless import completed_runs
from dynamic_sparsity.sparsity.clustering.series import ZeroSeries
from dynamic_sparsity.sparsity.resampling import episode_draws

MOST_GROUPS = 4
"""Largest number of groups."""
WIDTH = 0.25
"""Smallest standard deviation of a group, in natural logarithms of length: a group is at least this wide."""
MOST_RESAMPLES = 20
"""Largest number of resamples that are grouped."""
_FEWEST_RUNS = 20
_MOST_ITERATIONS = 500


def summarise(series: ZeroSeries, resampling: ResamplingSettings) -> xr.Dataset:
    """Groups of completed runs by length: Gaussian mixtures of log length, their number chosen by BIC (1 to 4).

    Runs of distinct series are pooled; zero and non-zero runs alike. With fewer than 20 runs all is NaN.

    - `length_groups`: number of groups; `length_groups_memoryless`: the number that the same procedure finds in
      durations of a memoryless chain with the same numbers of runs and steps. Geometric durations are not Gaussian, so
      that number may exceed 1: only a difference means something;
    - `length_group_center` (control steps) and `length_group_share` over `length_group`, shortest first;
    - `length_group_stability`: share of resamples of episodes with the same number of groups.
    """
    per_seed = [[completed_runs(episode)[::2] for episode in of_seed] for of_seed in series.seeds]
    episodes = [episode for of_seed in per_seed for episode in of_seed]
    lengths = np.concatenate([length for length, _ in episodes])
    center, share = (np.full(MOST_GROUPS, np.nan) for _ in range(2))
    groups = memoryless = stability = np.nan
    if len(lengths) >= _FEWEST_RUNS:
        mixture = fit(lengths)
        groups = mixture.groups
        order = np.argsort(mixture.mean)
        center[:groups] = np.exp(mixture.mean[order])
        share[:groups] = mixture.share[order]
        rng = np.random.default_rng(resampling.seed)
        memoryless = fit(np.concatenate([_redrawn(*episode, rng) for episode in episodes])).groups
        stability = _stability(per_seed, groups, resampling)
    return xr.Dataset(
        {
            "length_groups": float(groups),
            "length_groups_memoryless": float(memoryless),
            "length_group_stability": stability,
            "length_group_center": ("length_group", center),
            "length_group_share": ("length_group", share),
        }
    )


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture of log length."""

    mean: np.ndarray
    """[group]"""
    deviation: np.ndarray
    """[group]"""
    share: np.ndarray
    """[group]"""
    log_likelihood: float
    """Of all runs."""

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.mean)


def fit(lengths: np.ndarray) -> Mixture:
    """The mixture with the smallest BIC: -2 log likelihood + (3 groups - 1) log runs."""
    values, count = np.unique(lengths, return_counts=True)
    mixtures = [_expectation_maximisation(np.log(values), count, k) for k in range(1, min(MOST_GROUPS, len(values)) + 1)]
    penalty = np.log(count.sum())
    return min(mixtures, key=lambda mixture: (3 * mixture.groups - 1) * penalty - 2 * mixture.log_likelihood)


def _expectation_maximisation(value: np.ndarray, count: np.ndarray, groups: int) -> Mixture:
    """A mixture of `groups` Gaussians by expectation maximisation, from means at evenly spaced quantiles.

    `value`: distinct log lengths; `count`: how often each occurs. (scikit-learn's mixtures take no counts.)
    """
    total = count.sum()
    mean = value[np.searchsorted(np.cumsum(count), total * (np.arange(groups) + 0.5) / groups)]
    center = count @ value / total
    deviation = np.full(groups, max(WIDTH, np.sqrt(count @ (value - center) ** 2 / total) / groups))
    share = np.full(groups, 1 / groups)
    before = -np.inf
    for _ in range(_MOST_ITERATIONS):
        density = share * np.exp(-(((value[:, None] - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
        marginal = density.sum(1) + np.finfo(float).tiny
        likelihood = float(count @ np.log(marginal))
        if likelihood - before < 1e-6 * total:
            break
        before = likelihood
        member = count[:, None] * density / marginal[:, None]
        size = member.sum(0) + np.finfo(float).tiny
        share, mean = size / total, value @ member / size
        deviation = np.maximum(WIDTH, np.sqrt((member * (value[:, None] - mean) ** 2).sum(0) / size))
    return Mixture(mean, deviation, share, likelihood)


def _redrawn(lengths: np.ndarray, stretch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lengths of memoryless runs: a random composition for each stretch (`memoryless`)."""
    redrawn = []
    for number in np.unique(stretch):
        of_stretch = lengths[stretch == number]
        share = rng.dirichlet(np.ones(len(of_stretch)))
        redrawn.append(1 + rng.multinomial(of_stretch.sum() - len(of_stretch), share))
    return np.concatenate(redrawn) if redrawn else lengths


def _stability(
    per_seed: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], groups: int, resampling: ResamplingSettings
) -> float:
    sizes = [len(of_seed) for of_seed in per_seed]
    if max(sizes) < 2:
        return np.nan
    same = []
    for draw in episode_draws(sizes, min(MOST_RESAMPLES, resampling.resamples), resampling.seed):
        weights = zip(per_seed, draw, strict=True)
        pooled = np.concatenate(
            [np.repeat(length, w) for of_seed, ws in weights for (length, _), w in zip(of_seed, ws, strict=True)]
        )
        same.append(len(pooled) > 0 and fit(pooled).groups == groups)
    return float(np.mean(same))
