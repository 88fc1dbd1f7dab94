"""Does the zero mask repeat with a gait? Null model: another episode at equal phase.

The phase of a step is predicted from the mask one to two periods earlier, so a pattern that merely persists for less
than a period predicts nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.effects import Effect, ratio_of_sums, tails, two_sided
from dynamic_sparsity.sparsity.clustering.series import Episode, ZeroSeries

RISE = 0.2
"""A peak of the autocorrelation is a period if it is this much higher than the lowest value at shorter lags."""
_OF_HIGHEST = 0.7
"""The period is the first peak whose rise is at least this share of the highest: multiples of a period peak as well."""


def compare(series: ZeroSeries, draws: int, resampling: ResamplingSettings) -> tuple[Effect, xr.Dataset]:
    """Agreement with the step of another episode at the nearest phase, corrected for chance.

    For every step, the step of nearest phase is looked up in each other episode of the study seed. The agreement is the
    share of the switching entries that are equal in both. The effect is (agreement - chance) / (1 - chance): 0 for a
    random step, 1 if the masks are always equal. Chance is the mean over all circular shifts of an episode against its
    phases; the null model draws one shift for each episode. Without a period the effect is NaN.

    The Dataset has `period` (control steps, by `seed`), NaN for a study seed that is not periodic.
    """
    periods = [period(_mean_correlation(of_seed)) if of_seed else None for of_seed in series.seeds]
    found = [_compare_seed(*of_seed, series.entries) for of_seed in zip(series.seeds, periods, strict=True)]
    above, below = [of_seed[0] for of_seed in found], [of_seed[1] for of_seed in found]
    effect, low, high = ratio_of_sums(above, below, resampling)
    table = xr.Dataset({"period": ("seed", np.array([np.nan if length is None else length for length in periods]))})
    if np.isnan(effect):
        return Effect(), table
    rng = np.random.default_rng(resampling.seed)
    by_shift = list(itertools.chain(*(of_seed[2] for of_seed in found)))
    null = np.zeros(draws)
    for shifted in by_shift:
        null += shifted[rng.integers(0, len(shifted), draws)] / sum(map(np.sum, below))
    p_value = two_sided(effect, null, 0.0)
    return Effect(effect, low, high, 0.0, *np.quantile(null, tails(resampling.confidence)), p_value), table


def period(autocorrelation: np.ndarray) -> int | None:
    """The lag of the first high peak of an autocorrelation [lag]; None if there is no peak that rises by `RISE`.

    A peak is the largest value among lags within a quarter of its own lag. Its rise is its height above the lowest
    value at shorter lags.
    """
    known = np.flatnonzero(np.isnan(autocorrelation))
    rho = autocorrelation[: known[0]] if len(known) else autocorrelation
    if len(rho) < 3:
        return None
    rise = rho - np.minimum.accumulate(rho)
    peaks = [
        lag
        for lag in range(2, len(rho) - 1)
        if rise[lag] >= RISE and rho[lag] > rho[lag + 1] and rho[lag] == rho[-(-3 * lag // 4) : 5 * lag // 4 + 1].max()
    ]
    return next((lag for lag in peaks if rise[lag] >= _OF_HIGHEST * rise[peaks].max()), None)


def phases(signal: np.ndarray, length: int) -> np.ndarray:
    """Phase of each step from 2 `length` - 1 on, predicted from the `signal` one to two periods earlier, in radians.

    It is the argument of sum over k = P ... 2 P - 1 of x[t - k] exp(2 pi i k / P): the component of period P = `length`
    in a window of one period that ends one period before the step.
    """
    lag = np.arange(2 * length)
    window = np.where(lag >= length, np.exp(2j * np.pi * lag / length), 0)
    return np.angle(np.convolve(signal, window, mode="valid"))


def _mean_correlation(episodes: Sequence[Episode]) -> np.ndarray:
    """The autocorrelation averaged over the episodes in which it is known; NaN at lags that none has."""
    stacked = np.array([episode.autocorrelation for episode in episodes])
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(stacked.shape[1], np.nan), where=known.any(0))


def _compare_seed(
    episodes: Sequence[Episode], length: int | None, entries: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Agreement minus chance and 1 minus chance of each ordered pair, [episode, other]; and of one seed by shift.

    The list has, for each episode, the sum over the others of agreement minus chance after each circular shift.
    """
    prepared = _prepared(episodes, length, entries) if length else []
    weight = entries / entries.sum()
    above, room = (np.zeros((len(episodes),) * 2) for _ in range(2))
    by_shift = []
    for one, (phase, value) in enumerate(prepared):
        guesses = np.zeros(value.shape)
        for other, (phase_there, value_there) in enumerate(prepared):
            if other == one or not len(phase) or not len(phase_there):
                continue
            guess = value_there[_nearest(phase, phase_there)]
            chance = (1 + weight @ (value.mean(0) * guess.mean(0))) / 2
            above[one, other] = (1 + weight @ (value * guess).mean(0)) / 2 - chance
            room[one, other] = 1 - chance
            guesses += guess
        if guesses.any():
            by_shift.append(_agreement_by_shift(value, guesses, weight))
    return above, room, by_shift


def _prepared(episodes: Sequence[Episode], length: int, entries: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Phases, and values as 1 and -1 ([step, series]), of the steps of each episode that have a phase and are finite."""
    centred = []
    for episode in episodes:
        finite = episode.value >= 0
        mean = np.where(finite, episode.value, 0).sum(0) / np.maximum(finite.sum(0), 1)
        centred.append(np.where(finite, episode.value - mean, 0.0) * np.sqrt(entries))
    _, vectors = np.linalg.eigh(sum(array.T @ array for array in centred))
    prepared = []
    for episode, array in zip(episodes, centred, strict=True):
        start = 2 * length - 1
        if len(array) <= start:
            prepared.append((np.zeros(0), np.zeros((0, len(entries)))))
            continue
        is_finite = (episode.value[start:] >= 0).all(1)
        phase = phases(array @ vectors[:, -1], length)
        prepared.append((phase[is_finite], 2.0 * episode.value[start:][is_finite] - 1))
    return prepared


def _nearest(phase: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each phase, the place of the nearest one among `others`, on the circle."""
    order = np.argsort(others, kind="stable")
    ring = np.concatenate([others[order[-1:]] - 2 * np.pi, others[order], others[order[:1]] + 2 * np.pi])
    place = np.concatenate([order[-1:], order, order[:1]])
    after = np.clip(np.searchsorted(ring, phase), 1, len(ring) - 1)
    is_before = phase - ring[after - 1] <= ring[after] - phase
    return place[np.where(is_before, after - 1, after)]


def _agreement_by_shift(value: np.ndarray, guesses: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Agreement minus chance of `value`, shifted circularly by each number of steps, with the sum of the guesses."""
    steps = len(value)
    spectrum = np.fft.rfft(value, axis=0) * np.fft.rfft(guesses, axis=0).conj()
    agreement = np.fft.irfft(spectrum @ weight, n=steps) / steps / 2
    return agreement - agreement.mean()
