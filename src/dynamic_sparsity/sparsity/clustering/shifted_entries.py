"""Do entries switch together? Null model: every entry's series shifted circularly in time on its own."""

from __future__ import annotations

import numpy as np

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering.effects import Effect, batches, ratio_of_sums, tails, two_sided
from dynamic_sparsity.sparsity.clustering.series import ZeroSeries


def compare(series: ZeroSeries, draws: int, resampling: ResamplingSettings) -> Effect:
    """Mean correlation of the switches of two entries: 0 if they switch independently, 1 if all switch together.

    Let v_i be the variance over time of entry i's switches, and V that of the number of entries that switch at a step.
    A circular shift changes no v_i, and the covariance of two entries is 0 on average over all shifts, so V is the sum
    of the v_i on average. The effect is (V - sum v_i) / ((sum sqrt(v_i))^2 - sum v_i), with sums over the episodes
    above and below: the sum of all covariances over the largest one possible. NaN unless two entries switch in one
    episode.
    """
    episodes = [(episode.switches, series.entries) for episode in series.episodes]
    observed = np.array([_total_square(*episode) for episode in episodes])
    expected, most = np.array([_bounds(*episode) for episode in episodes]).T
    excess, room = series.by_seed(observed - expected), series.by_seed(most - expected)
    effect, low, high = ratio_of_sums(excess, room, resampling)
    if np.isnan(effect):
        return Effect()
    rng = np.random.default_rng(resampling.seed)
    total = sum(_shifted(*episode, draws, rng) for episode in episodes)
    null = (total - expected.sum()) / (most - expected).sum()
    return Effect(effect, low, high, 0.0, *np.quantile(null, tails(resampling.confidence)), two_sided(effect, null, 0.0))


def _total_square(switches: np.ndarray, entries: np.ndarray) -> float:
    """Sum over steps of (number of entries that switch - its mean)^2: the number of steps times V."""
    count = switches @ entries.astype(float)
    return float(((count - count.mean()) ** 2).sum()) if len(count) else 0.0


def _bounds(switches: np.ndarray, entries: np.ndarray) -> tuple[float, float]:
    """Number of steps times sum v_i and times (sum sqrt(v_i))^2."""
    if not switches.size:
        return 0.0, 0.0
    rate = switches.mean(0)
    variance = rate * (1 - rate)
    return len(switches) * float(entries @ variance), len(switches) * float(entries @ np.sqrt(variance)) ** 2


def _shifted(switches: np.ndarray, entries: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """`_total_square` after each entry has been shifted on its own, [draw].

    Entries that share a series add up to its convolution with the numbers of entries at each shift. The sum over steps
    of the square of their number follows from the spectrum (Parseval's theorem).
    """
    steps = len(switches)
    switching = np.flatnonzero(switches.any(0))
    if not len(switching):
        return np.zeros(draws)
    totals = []
    for batch in batches(draws, 4 * steps):
        spectrum = np.zeros((batch, steps // 2 + 1), complex)
        for number in switching:
            shift = rng.integers(0, steps, (batch, entries[number])) + steps * np.arange(batch)[:, None]
            at_shift = np.bincount(shift.ravel(), minlength=batch * steps).reshape(batch, steps)
            spectrum += np.fft.rfft(at_shift.astype(float)) * np.fft.rfft(switches[:, number].astype(float))
        power = np.abs(spectrum[:, 1:]) ** 2
        both_signs = 2 * power.sum(1) - (power[:, -1] if steps % 2 == 0 else 0)
        totals.append(both_signs / steps)
    return np.concatenate(totals)
