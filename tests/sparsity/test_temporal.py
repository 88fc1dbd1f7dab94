"""Patterns, switches, events and durations over seeds, on a system whose zeros are known."""

import numpy as np

from dynamic_sparsity.sparsity import durations, survival, temporal
from tests.helpers.studies import RESAMPLING, TEMPORAL


def test_patterns_switches_and_events_over_seeds(usual):
    result = temporal.summarise(usual, TEMPORAL, RESAMPLING)
    assert result.sizes["pattern"] == 2 and result.pattern_count.values.tolist() == [84, 27]
    assert result.pattern_zero.sum(("out_dim", "in_dim")).values.tolist() == [3, 0]
    assert result.pattern_id.isel(seed=1, episode=1).values[11:].tolist() == [-1] * 9
    assert list(zip(result.follow_from.values, result.follow_to.values, strict=True)) == [(0, 1), (1, 0)]
    assert result.follow_count.values.tolist() == [27, 22]
    limit = result.sel(event_kind="joint_limit")
    assert limit.coincidence_observed == 1 and limit.coincidence_expected < 0.6 and limit.coincidence_p_value < 0.05
    assert result.sel(event_kind="contact").coincidence_observed == 0
    assert int(result.switch.sum()) == 49
    rates = [9 / 19] * 5 + [4 / 10]
    np.testing.assert_allclose(result.switch_rate_mean, np.mean(rates))


def test_durations_of_the_same_system(usual):
    result = survival.summarise([durations.counts_of(seed) for seed in usual], 30, 0.95, 0)
    zero, nonzero = result.sel(value="zero"), result.sel(value="non-zero")
    assert zero["median"] == 3 and nonzero["median"] == 1
    # Each of 3 entries has 22 runs of 3 zeros; the end of the short episode cuts one of them.
    np.testing.assert_allclose(zero.survival.values[:4], [1, 1, 1 / 22, np.nan])
    assert zero.ended_runs == 3 * 21 and zero.cut_runs == 3
