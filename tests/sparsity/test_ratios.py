"""Intervals of statistics of sums over episodes."""

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.ratios import ratio, with_intervals


def sums(top, bottom):
    return xr.Dataset({"top": ("episode", np.array(top)), "bottom": ("episode", np.array(bottom))})


def rate(total):
    return xr.Dataset({"rate": ratio(total.top, total.bottom)})


def test_a_ratio_of_sums_and_its_interval_match_explicit_resampling():
    first, second = ([1, 4, 0], [2, 8, 3]), ([5, 1], [5, 9])
    result = with_intervals([sums(*first), sums(*second)], rate, ResamplingSettings(resamples=4000, confidence=0.8))
    assert result.rate == 11 / 27
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(4000):
        drawn = [(top[i], bottom[i]) for top, bottom in (first, second) for i in rng.integers(len(top), size=len(top))]
        rates.append(sum(top for top, _ in drawn) / sum(bottom for _, bottom in drawn))
    np.testing.assert_allclose([result.rate_low, result.rate_high], np.quantile(rates, [0.1, 0.9]), atol=0.03)


def test_seeds_are_strata_and_one_episode_has_no_interval():
    alike = with_intervals([sums([1, 1], [2, 2]), sums([3, 3], [3, 3])], rate, ResamplingSettings(resamples=50))
    assert alike.rate == alike.rate_low == alike.rate_high == 4 / 5
    single = with_intervals([sums([1], [2])], rate, ResamplingSettings(resamples=50))
    assert single.rate == 0.5 and np.isnan(single.rate_low) and np.isnan(single.rate_high)


def test_infinite_numbers_are_large_and_missing_ones_are_left_out():
    def infinite(total):
        return xr.Dataset({"x": xr.where(total.top > 0, np.inf, total.bottom)})

    mixed = with_intervals([sums([0, 0, 0, 1], [1, 1, 1, 1])], infinite, ResamplingSettings(resamples=500))
    assert mixed.x_low == 4 and np.isinf(mixed.x_high)
    sometimes = with_intervals([sums([2, 2, 2, 2], [0, 4, 4, 4])], rate, ResamplingSettings(resamples=500))
    assert np.isfinite(sometimes.rate_high)
    never = with_intervals([sums([0, 0], [0, 0])], rate, ResamplingSettings(resamples=50))
    assert np.isnan([never.rate, never.rate_low, never.rate_high]).all()


def test_a_test_of_few_episodes_rejects_a_true_null_as_often_as_it_says():
    """The true difference is 0. 200 simulated studies of two study seeds with four episodes each."""
    rng = np.random.default_rng(1)
    resampling = ResamplingSettings(resamples=100)
    p_values = []
    for _ in range(200):
        seeds = [sums(rng.normal(size=4), np.ones(4)) for _ in range(2)]
        p_values.append(with_intervals(seeds, rate, resampling, tested=["rate"]).rate_p_value.item())
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.09 and 0.4 < np.mean(p_values) < 0.6


def test_a_test_finds_what_is_there_and_knows_when_it_cannot():
    resampling = ResamplingSettings(resamples=100)
    clear = with_intervals([sums([5, 6, 7, 6], [1, 1, 1, 1])], rate, resampling, tested=["rate"])
    assert clear.rate_p_value < 0.01
    constant = with_intervals([sums([0, 0], [1, 1])], rate, resampling, tested=["rate"])
    assert constant.rate_p_value == 1
    for unknown in (sums([2, 2], [1, 1]), sums([2], [1])):
        assert np.isnan(with_intervals([unknown], rate, resampling, tested=["rate"]).rate_p_value)


def test_coverage_of_the_interval_is_about_right():
    """The true ratio is 1/2. 200 simulated studies of 20 episodes."""
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        bottom = rng.integers(5, 15, size=20)
        result = with_intervals(
            [sums(rng.binomial(bottom, 0.5), bottom)], rate, ResamplingSettings(resamples=200, confidence=0.9, seed=trial)
        )
        hits += bool(result.rate_low <= 0.5 <= result.rate_high)
    assert 0.8 < hits / 200 < 0.97
