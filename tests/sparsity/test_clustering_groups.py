"""Groups of entries and of runs, effect sizes, and the whole summary, on data whose structure is known."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.clustering import effects, entry_groups, run_lengths, series, summary
from dynamic_sparsity.sparsity.resampling import episode_draws
from tests.helpers.chains import FEW, chain, chains
from tests.helpers.studies import RESAMPLING, TEMPORAL

TWO = ([np.array([1.0, 4.0, 2.0]), np.array([3.0, 0.0])], [np.array([2.0, 5.0, 2.0]), np.array([6.0, 1.0])])


def test_a_ratio_and_its_interval_are_those_of_a_loop():
    above, below = TWO
    ratios = []
    for draw in episode_draws([3, 2], 30, 0):
        numbers = [np.repeat(np.arange(len(weight)), weight) for weight in draw]
        ratios.append(
            sum(array[n].sum() for array, n in zip(above, numbers, strict=True))
            / sum(array[n].sum() for array, n in zip(below, numbers, strict=True))
        )
    expected = (10 / 16, *np.quantile(ratios, [0.025, 0.975]))
    assert effects.ratio_of_sums(above, below, RESAMPLING) == pytest.approx(expected)


def test_pairs_count_as_often_as_both_episodes_are_drawn():
    rng = np.random.default_rng(0)
    above, below = rng.random((3, 3)), rng.random((3, 3))
    ratios = []
    for [draw] in episode_draws([3], 30, 0):
        numbers = np.repeat(np.arange(3), draw)
        ratios.append(above[np.ix_(numbers, numbers)].sum() / below[np.ix_(numbers, numbers)].sum())
    found = effects.ratio_of_sums([above], [below], RESAMPLING)
    assert found == pytest.approx((above.sum() / below.sum(), *np.quantile(ratios, [0.025, 0.975])))


def test_what_is_unknown_is_nan():
    none = [np.zeros(3)]
    assert np.isnan(effects.ratio_of_sums(none, none, RESAMPLING)).all()
    ratio, low, high = effects.ratio_of_sums([np.array([1.0, 0])], [np.array([2.0, 0])], RESAMPLING)
    assert ratio == 0.5 and np.isnan([low, high]).all()


def test_p_values_are_two_sided_and_count_what_is_observed():
    null = np.array([-3.0, -1.0, 0.0, 1.0])
    assert effects.two_sided(2.0, null, 0.0) == 2 / 5 and effects.two_sided(9.0, null, 0.0) == 1 / 5
    assert effects.two_sided(-1.0, null, 0.0) == 4 / 5
    assert np.isnan(effects.two_sided(1.0, np.ones(5), 1.0)) and effects.two_sided(2.0, np.ones(5), 1.0) == 1 / 6
    assert list(effects.batches(10, 1)) == [10] and sum(effects.batches(7, 3_000_000)) == 7


def test_series_are_read_as_they_are_and_shared_ones_once(usual):
    found = series.read(usual, 3)
    steps = [20, 20, 20, 20, 11, 20]
    assert [len(episode.value) for episode in found.episodes] == steps
    values = np.concatenate([store.zero.values[:, :, 1:, 0].reshape(-1, 3) for store in usual])
    is_step = np.concatenate([np.arange(20) < length for length in steps])
    assert found.entries.tolist() == [3] and (found.number >= 0).sum() == 3 and (found.number[1:, 0] == 0).all()
    np.testing.assert_array_equal(np.concatenate([episode.value[:, 0] for episode in found.episodes]), values[is_step, 0])
    assert [len(of_seed) for of_seed in found.by_seed(range(6))] == [3, 3]


def test_non_finite_values_are_no_zeros_and_no_switches():
    rng = np.random.default_rng(0)
    zero, finite = rng.random((2, 9, 2, 2)) < 0.5, rng.random((2, 9, 2, 2)) < 0.7
    dims = ("episode", "time", "out_dim", "in_dim")
    store = xr.Dataset({"zero": (dims, zero), "finite": (dims, finite), "length": ("episode", [9, 7])})
    found = series.read([store], 2)
    for number, length in enumerate([9, 7]):
        expected = np.where(finite, zero, -1)[number, :length].reshape(length, 4)
        for entry in np.flatnonzero(found.number.ravel() >= 0):
            column = found.episodes[number].value[:, found.number.ravel()[entry]]
            np.testing.assert_array_equal(column, expected[:, entry])
            pairs = zip(column, column[1:], strict=False)
            switches = [before != after and before >= 0 and after >= 0 for before, after in pairs]
            assert found.episodes[number].switches[:, found.number.ravel()[entry]].tolist() == switches


def test_phi_is_the_correlation():
    value = np.random.default_rng(0).random((40, 3)) < 0.4
    counts = value.astype(float)
    found = entry_groups.phi(40.0, counts.sum(0), counts.T @ counts)
    np.testing.assert_allclose(found, np.corrcoef(counts.T), atol=1e-12)


def three_groups(rng, episodes=3, steps=200):
    """Entries 0 and 1 nearly the same, 2 the opposite of 0, and 3 and 4 independent of these and alike."""
    values = []
    for _ in range(episodes):
        one, other = chain(rng, steps), chain(rng, steps)
        nearly = np.where(rng.random(steps) < 0.01, 1 - one, one)
        values.append(np.stack([one, nearly, 1 - one, other, other], axis=1))
    return series.of_values([values], [1, 1, 1, 1, 2])


def test_entries_that_share_their_runs_are_grouped():
    found = entry_groups.summarise(three_groups(np.random.default_rng(0)), RESAMPLING)
    assert found.group.values.ravel().tolist() == [1, 1, 2, 0, 0, 0]
    assert found.group_stability == found.group_stability_low == 1


def test_groups_of_noise_are_unstable():
    rng = np.random.default_rng(0)
    base = [chain(rng, 40) for _ in range(4)]
    values = [np.stack([np.where(rng.random(40) < 0.025, 1 - one, one) for _ in range(8)], axis=1) for one in base]
    found = entry_groups.summarise(series.of_values([values], [1] * 8), RESAMPLING)
    assert -0.5 <= found.group_stability < 0.9 and found.group_stability_low < found.group_stability_high


def test_the_rand_index_counts_entries():
    from sklearn.metrics import adjusted_rand_score

    one, other, entries = np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([3, 1, 2])
    pairs = [(i, j) for i in range(6) for j in range(i)]
    a, b = np.repeat(one, entries), np.repeat(other, entries)
    same_a, same_b = (np.array([labels[i] == labels[j] for i, j in pairs]) for labels in (a, b))
    expected = same_a.sum() * same_b.sum() / len(pairs)
    index = ((same_a & same_b).sum() - expected) / ((same_a.sum() + same_b.sum()) / 2 - expected)
    assert entry_groups.rand_index(one, other, entries) == pytest.approx(index) == adjusted_rand_score(a, b)
    assert entry_groups.rand_index(one, one, entries) == entry_groups.rand_index(one * 0, one * 0, entries) == 1


def of_lengths(lengths):
    value = np.repeat(np.arange(len(lengths)) % 2, lengths)[:, None]
    return series.of_values([[value, value]], [1])


def test_runs_of_two_lengths_are_two_groups():
    found = run_lengths.summarise(of_lengths([3, 40] * 15), FEW)
    assert found.length_groups == 2 and found.length_group_stability == 1
    np.testing.assert_allclose(found.length_group_center[:2], [3, 40], rtol=0.05)
    np.testing.assert_allclose(found.length_group_share[:2], [0.5, 0.5], atol=0.05)
    assert np.isnan(found.length_group_share[2:]).all()


def test_runs_of_one_length_are_one_group_and_few_runs_none():
    found = run_lengths.summarise(of_lengths([6] * 30), FEW)
    assert found.length_groups == 1 and found.length_groups_memoryless >= 1
    assert np.isnan(run_lengths.summarise(of_lengths([6] * 8), FEW).length_groups)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_mixtures_are_as_likely_as_those_of_scikit_learn(groups):
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(0)
    drawn = [np.ceil(rng.lognormal(center, 0.4, 200)).astype(int) for center in (2, 5, 8)[:groups]]
    values = np.log(np.concatenate(drawn))[:, None]
    theirs = GaussianMixture(groups, n_init=5, tol=1e-6, max_iter=500, random_state=0).fit(values)
    unique, count = np.unique(values, return_counts=True)
    ours = run_lengths._expectation_maximisation(unique, count, groups)
    assert ours.log_likelihood == pytest.approx(theirs.score(values) * len(values), rel=1e-3)
    assert np.sort(ours.mean) == pytest.approx(np.sort(theirs.means_.ravel()), abs=0.02)
    assert ours.share.sum() == pytest.approx(1) and run_lengths.fit(np.concatenate(drawn)).groups == groups


def test_redrawn_runs_keep_the_numbers_of_runs_and_steps():
    lengths, stretch = np.array([3, 9, 4, 1, 7]), np.array([0, 5, 0, 5, 5])
    redrawn = run_lengths._redrawn(lengths, stretch, np.random.default_rng(0))
    assert redrawn.min() >= 1 and redrawn[:2].sum() == 7 and redrawn[2:].sum() == 17


def test_chains_have_as_many_groups_as_memoryless_runs():
    found = run_lengths.summarise(chains(np.random.default_rng(0), 2, 400, 3), ResamplingSettings(resamples=10))
    assert abs(float(found.length_groups - found.length_groups_memoryless)) <= 1


def test_the_summary_of_the_usual_study(usual):
    result = summary.summarise(usual, TEMPORAL, RESAMPLING)
    assert result.switching_entries == 3 and result.distinct_series == 1 and result.period.values.tolist() == [4, 4]
    by_null = result.effect.to_series()
    assert by_null["memoryless durations"] == pytest.approx(0, abs=1e-9)
    assert by_null["shifted entries"] == pytest.approx(1) and by_null["equal phase"] == pytest.approx(1)
    assert by_null["shuffled times"] > 1  # every fourth step has the other pattern: that is less persistent than chance
    assert result.group.values.max() == 0 and (result.group.values >= 0).sum() == 3
