"""Are durations memoryless? Null model: every entry is a two-state Markov chain.

In such a chain the durations of zero and of non-zero runs are geometric. All series with the same first value and the
same numbers of the four transitions are equally likely. So, given an uninterrupted stretch of one entry, the lengths of
its k completed runs of one value, N steps in all, are a uniformly random composition of N into k parts, whatever the
switching probabilities are. Runs that an end of the episode or a non-finite value cuts are not completed; they are
conditioned on, so censoring biases nothing (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import gammaln

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.effects import Effect, batches, ratio_of_sums, tails, two_sided
from dynamic_sparsity.sparsity.clustering.series import Episode, ZeroSeries
from dynamic_sparsity.sparsity.durations import durations
from dynamic_sparsity.stores.schema import IN, OUT, TIME

TAIL = 0.05
"""A run is long if the memoryless law makes a longer or equally long one with at most this probability."""


@dataclass(frozen=True)
class Stretches:
    """Completed runs of one value in uninterrupted stretches of one entry, where there are two of them or more."""

    series: np.ndarray
    """Number of the series, [stretch]."""
    runs: np.ndarray
    """k: number of completed runs, [stretch]."""
    steps: np.ndarray
    """N: their total length, [stretch]."""
    squares: np.ndarray
    """Sum of squared deviations of the lengths from their mean, [stretch]."""
    short: np.ndarray
    """Number of runs of one step, [stretch]."""
    long: np.ndarray
    """Number of long runs, [stretch]."""

    @property
    def expected_squares(self) -> np.ndarray:
        """The mean of `squares` over all compositions: N (N - k) (k - 1) / (k (k + 1))."""
        k, n = self.runs.astype(float), self.steps.astype(float)
        return n * (n - k) * (k - 1) / (k * (k + 1))

    @property
    def expected_short(self) -> np.ndarray:
        """The mean of `short`: k (k - 1) / (N - 1)."""
        return self.runs * (self.runs - 1) / (self.steps - 1)

    @property
    def expected_long(self) -> np.ndarray:
        """The mean of `long`, at most 5 % of the runs: durations are whole numbers."""
        return self.runs * beyond(long_quantile(self.runs, self.steps), self.runs, self.steps)


def compare(series: ZeroSeries, draws: int, resampling: ResamplingSettings) -> tuple[Effect, xr.Dataset]:
    """Variance of durations over that of the memoryless law, and the shares of one-step and of long runs.

    The effect is the mean over stretches, weighted by runs - 1 and over all entries. Above 1: durations are too
    variable; below 1: too regular. The p-value is of the hypothesis that every entry is memoryless:
    a p-value for each distinct series from draws of compositions, combined by Simes's rule, which holds for independent
    and for positively dependent series. The null interval draws distinct series independently.

    The Dataset has `short_observed`, `short_expected`, `long_observed` and `long_expected`: shares of the completed runs
    that can tell (two or more in a stretch, not all of them one step long), with `_low` and `_high` ends of the intervals
    of the observed shares; and `compared_runs`, the number of these runs over all entries.
    """
    episodes = [stretches(episode) for episode in series.episodes]
    weights = [series.entries[found.series] for found in episodes]
    freedom = np.array([(w * (s.runs - 1)).sum() for w, s in zip(weights, episodes, strict=True)], float)
    spread = np.array([(w * _spread(s)).sum() for w, s in zip(weights, episodes, strict=True)])
    effect, low, high = ratio_of_sums(series.by_seed(spread), series.by_seed(freedom), resampling)
    shares = _shares(series, episodes, weights, resampling)
    if np.isnan(effect):
        return Effect(), shares
    null = _null(episodes, len(series.entries), draws, np.random.default_rng(resampling.seed))
    pooled = series.entries @ null / freedom.sum()
    p_value = simes(_p_values(episodes, null))
    return Effect(effect, low, high, 1.0, *np.quantile(pooled, tails(resampling.confidence)), p_value), shares


def completed_runs(episode: Episode) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Length, number of the series, and stretch of each run of one episode whose start and end were seen, [run].

    Runs of one value in one uninterrupted stretch of a series have the same number as their stretch.
    """
    value = episode.value[:, :, None]
    runs = durations(xr.DataArray(value == 1, dims=(TIME, OUT, IN)), xr.DataArray(value >= 0, dims=(TIME, OUT, IN)))
    start_cut, end_cut = runs.run_start_censored.values, runs.run_end_censored.values
    whole = ~(start_cut | end_cut)
    stretch = 2 * np.cumsum(start_cut) + runs.run_zero.values
    return runs.run_length.values[whole].astype(np.int64), runs.run_out.values[whole], stretch[whole]


def stretches(episode: Episode) -> Stretches:
    """The completed runs of one episode, stretch by stretch."""
    length, series, number = completed_runs(episode)
    _, first, stretch, count = np.unique(number, return_index=True, return_inverse=True, return_counts=True)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(stretch, values, len(count))

    steps = total(length).astype(np.int64)
    squares = total(length**2) - steps**2 / np.maximum(count, 1)
    short, long = total(length == 1), total(length > long_quantile(count, steps)[stretch])
    tells = (count > 1) & (steps > count)
    return Stretches(*(array[tells] for array in (series[first], count, steps, squares, short, long)))


def beyond(length: np.ndarray, runs: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """P(a run is longer than `length`) = C(N - length - 1, k - 1) / C(N - 1, k - 1)."""
    left = steps - length - 1
    possible = left >= runs - 1
    left = np.where(possible, left, steps - 1)
    log = gammaln(left + 1) - gammaln(left - runs + 2) - gammaln(steps) + gammaln(steps - runs + 1)
    return np.where(possible, np.exp(log), 0.0)


def long_quantile(runs: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The shortest length beyond which a run is with a probability of at most `TAIL`."""
    low, high = np.zeros_like(steps), steps - runs + 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_rare = beyond(middle, runs, steps) <= TAIL
        low, high = np.where(is_rare, low, middle), np.where(is_rare, middle, high)
    return high


def simes(p_values: np.ndarray) -> float:
    """P-value of the hypothesis that all hypotheses hold: min over i of K p_(i) / i (Simes 1986); NaN for none."""
    known = np.sort(p_values[~np.isnan(p_values)])
    return float((len(known) * known / np.arange(1, len(known) + 1)).min()) if len(known) else np.nan


def _spread(found: Stretches) -> np.ndarray:
    return (found.runs - 1) * found.squares / found.expected_squares


def _shares(
    series: ZeroSeries, episodes: Sequence[Stretches], weights: Sequence[np.ndarray], resampling: ResamplingSettings
) -> xr.Dataset:
    """Observed and expected shares of one-step and of long runs."""

    def by_seed(name: str) -> list[np.ndarray]:
        return series.by_seed([float(w @ getattr(s, name)) for w, s in zip(weights, episodes, strict=True)])

    runs = by_seed("runs")
    shares = {"compared_runs": sum(array.sum() for array in runs)}
    for kind in ("short", "long"):
        observed = ratio_of_sums(by_seed(kind), runs, resampling)
        names = (f"{kind}_observed", f"{kind}_observed_low", f"{kind}_observed_high")
        shares |= dict(zip(names, observed, strict=True))
        shares[f"{kind}_expected"] = ratio_of_sums(by_seed(f"expected_{kind}"), runs, resampling)[0]
    return xr.Dataset(shares)


def _null(episodes: Sequence[Stretches], series: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of `_spread` over the stretches of each series if these are memoryless, [series, draw]."""
    total = np.zeros((series, draws))
    for found in episodes:
        expected = found.expected_squares
        for number, k, n, mean in zip(found.series, found.runs, found.steps, expected, strict=True):
            total[number] += (k - 1) / mean * _drawn_squares(int(k), int(n), draws, rng)
    return total


def _drawn_squares(runs: int, steps: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of squared deviations of random compositions of `steps` into `runs` parts, [draw].

    The parts minus 1 are multinomial with probabilities that are uniform on the simplex.
    """
    squares = []
    for batch in batches(draws, 2 * runs):
        share = rng.standard_exponential((batch, runs))
        parts = rng.multinomial(steps - runs, share / share.sum(1, keepdims=True))
        squares.append(((parts + 1 - steps / runs) ** 2).sum(1))
    return np.concatenate(squares)


def _p_values(episodes: Sequence[Stretches], null: np.ndarray) -> np.ndarray:
    """A p-value for each series, NaN for a series without a stretch."""
    observed, freedom = np.zeros(len(null)), np.zeros(len(null))
    for found in episodes:
        np.add.at(observed, found.series, _spread(found))
        np.add.at(freedom, found.series, found.runs - 1)
    p_values = [two_sided(*of_series) for of_series in zip(observed, null, freedom, strict=True)]
    return np.where(freedom > 0, p_values, np.nan)
