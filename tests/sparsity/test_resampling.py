"""The bootstrap resamples episodes within seeds."""

import numpy as np
import xarray as xr

from dynamic_sparsity.sparsity.resampling import episode_draws, stratified_mean


def per_episode(*values):
    return xr.DataArray(list(values), dims="episode")


def test_every_draw_keeps_the_number_of_episodes_of_every_seed():
    for draw in episode_draws([3, 1, 5], resamples=50, seed=0):
        assert [int(weights.sum()) for weights in draw] == [3, 1, 5]


def test_mean_and_interval_match_explicit_resampling():
    a, b = [0.0, 1.0, 5.0], [2.0, 2.5]
    result = stratified_mean([per_episode(*a), per_episode(*b)], resamples=4000, confidence=0.8, seed=0)
    assert result["mean"] == np.mean(a + b)
    rng = np.random.default_rng(1)
    means = [np.mean([*rng.choice(a, 3), *rng.choice(b, 2)]) for _ in range(4000)]
    np.testing.assert_allclose([result.low, result.high], np.quantile(means, [0.1, 0.9]), atol=0.1)


def test_seeds_are_strata():
    """Two study seeds differ and the episodes within each are equal, so that the interval has no width."""
    result = stratified_mean([per_episode(1.0, 1.0), per_episode(3.0, 3.0)], resamples=100, confidence=0.95, seed=0)
    assert result["mean"] == result.low == result.high == 2


def test_missing_episodes_are_left_out_and_a_single_episode_has_no_interval():
    result = stratified_mean([per_episode(1.0, np.nan, 3.0)], resamples=200, confidence=0.95, seed=0)
    assert result["mean"] == 2 and result.low >= 1 and result.high <= 3
    single = stratified_mean([per_episode(1.0)], resamples=20, confidence=0.95, seed=0)
    assert single["mean"] == 1 and np.isnan(single.low) and np.isnan(single.high)
    one_known = stratified_mean([per_episode(1.0, np.nan)], resamples=20, confidence=0.95, seed=0)
    assert one_known["mean"] == 1 and np.isnan(one_known.low) and np.isnan(one_known.high)
    empty = stratified_mean([per_episode(np.nan, np.nan)], resamples=20, confidence=0.95, seed=0)
    assert np.isnan(empty["mean"]) and np.isnan(empty.low)


def test_coverage_of_the_interval_is_about_right():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        seeds = [per_episode(*rng.normal(size=20)) for _ in range(2)]
        result = stratified_mean(seeds, resamples=200, confidence=0.9, seed=trial)
        hits += bool(result.low <= 0 <= result.high)
    assert 0.8 < hits / 200 < 0.97
