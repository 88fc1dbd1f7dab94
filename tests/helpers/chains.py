"""Made-up zero series whose structure in time is known."""

import numpy as np

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering import series

FEW = ResamplingSettings(resamples=10)
"""Few resamples, for tests that do not look at intervals."""
SIMULATIONS = 200


def chain(rng, steps, starts=0.3, stops=0.2):
    """A two-state Markov chain, [time]: memoryless durations."""
    value = np.empty(steps, np.int8)
    value[0] = rng.random() < 0.5
    for step in range(1, steps):
        value[step] = value[step - 1] ^ (rng.random() < (stops if value[step - 1] else starts))
    return value


def chains(rng, episodes, steps, count):
    """Independent chains as zero series: one study seed with this many episodes."""
    values = [[np.stack([chain(rng, steps) for _ in range(count)], axis=1) for _ in range(episodes)]]
    return series.of_values(values, [1] * count, max_lag=steps // 2)


def square_wave(steps, length, start, shifts=(0, 2, 5)):
    """A gait: entries that are zero for half of a period of `length` steps, each with its own phase."""
    step = np.arange(steps)[:, None] + start + np.array(shifts)
    return (step % length < length // 2).astype(np.int8)


def gait(rng, episodes=3, steps=150, length=12):
    """Square waves that start anywhere in their period, as zero series of two study seeds."""
    values = [[square_wave(steps, length, rng.integers(length)) for _ in range(episodes)] for _ in range(2)]
    return series.of_values(values, [2, 1, 1], max_lag=40)


def rejections(p_value_of, simulations=SIMULATIONS):
    """Share of simulated data sets, one per random generator, whose p-value is at most 5 %."""
    p_values = np.array([p_value_of(np.random.default_rng(number)) for number in range(simulations)])
    return float((p_values <= 0.05).mean())
