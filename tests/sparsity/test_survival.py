"""Survival curves against the product-limit formula written out, and against theory."""

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamic_sparsity.sparsity import survival

COUNTS = hnp.arrays(np.int64, 6, elements=st.integers(0, 4))


def slow_kaplan_meier(ended, cut):
    alive, curve, result = sum(ended) + sum(cut), 1.0, []
    for e, c in zip(ended, cut, strict=True):
        if alive:
            curve *= 1 - e / alive
        result.append(curve if alive else (curve if curve == 0 else np.nan))
        alive -= e + c
    return result


@given(COUNTS, COUNTS)
def test_product_limit(ended, cut):
    if ended.sum() + cut.sum():
        np.testing.assert_allclose(survival.kaplan_meier(ended, cut), slow_kaplan_meier(ended, cut), atol=1e-12)


@given(COUNTS, COUNTS)
def test_the_bootstraps_product_limit_is_the_librarys(ended, cut):
    curves = survival.product_limit(np.stack([ended, cut]), np.stack([cut, ended]))
    np.testing.assert_allclose(curves[0], survival.kaplan_meier(ended, cut), atol=1e-12)
    np.testing.assert_allclose(curves[1], survival.kaplan_meier(cut, ended), atol=1e-12)


def test_without_censoring_it_is_the_empirical_share_of_longer_runs():
    ended = np.array([5, 3, 0, 2])
    np.testing.assert_allclose(survival.kaplan_meier(ended, 0 * ended), [0.5, 0.2, 0.2, 0.0])


def test_without_runs_nothing_is_known():
    assert np.isnan(survival.kaplan_meier(np.zeros(4, int), np.zeros(4, int))).all()


def test_censoring_is_corrected_where_dropping_would_be_biased():
    rng = np.random.default_rng(3)
    true, limit = rng.geometric(0.1, 20_000), rng.integers(1, 20, 20_000)
    observed, complete = np.minimum(true, limit), true <= limit
    ended = np.bincount(observed[complete], minlength=21)[1:]
    cut = np.bincount(observed[~complete], minlength=21)[1:]
    curve = survival.kaplan_meier(ended, cut)
    theory = 0.9 ** np.arange(1, 21)
    assert np.abs(curve[:15] - theory[:15]).max() < 0.02
    dropped = 1 - np.cumsum(ended) / ended.sum()
    assert np.abs(dropped[:15] - theory[:15]).max() > 0.1, "the test would not notice a wrong estimator"


def counts(ended, cut, spanning=0, episodes=3):
    zero = np.zeros_like(ended)
    span = np.zeros_like(ended)
    span[-1] = spanning
    arrays = {"ended": ended, "cut": cut, "unseen_start": zero, "spanning": span, "paper": ended + cut}
    variables = {name: (("value", "duration"), np.stack([array, 0 * array])) for name, array in arrays.items()}
    episode = xr.Dataset(variables, {"value": ["zero", "non-zero"], "duration": np.arange(1, len(ended) + 1)})
    return xr.concat([episode] * episodes, dim="episode")


def test_summary_has_both_conventions_and_says_what_each_leaves_out():
    ended, cut = np.array([2, 1, 1, 0]), np.array([0, 0, 1, 0])
    result = survival.summarise([counts(ended, cut, spanning=7)], resamples=20, confidence=0.9, seed=0).sel(value="zero")
    assert result.paper_mean.item() == (2 * 1 + 2 + 3 + 3) / 5
    assert result["median"].item() == 2
    np.testing.assert_allclose(result.survival.values, [0.6, 0.4, 0.2, np.nan])
    np.testing.assert_allclose(result.restricted_mean.item(), 1 + 0.6 + 0.4)  # the area from 0 to 3
    assert result.spanning_runs == 21 and result.spanning_steps == 84 and result.ended_runs == 12


def test_a_median_has_an_interval_where_enough_runs_ended():
    settled = counts(np.array([0, 4, 0, 0]), np.array([0, 0, 0, 0]))
    result = survival.summarise([settled], 50, 0.9, 0).sel(value="zero")
    assert result["median"] == result.median_low == result.median_high == 2
    single = xr.concat([settled.isel(episode=[0])] + [counts(np.zeros(4, int), np.array([0, 0, 0, 1]))] * 2, dim="episode")
    single = single.isel(episode=slice(0, 4))
    result = survival.summarise([single], 200, 0.9, 0).sel(value="zero")
    assert result["median"] == 2 and result.median_low == 2 and np.isnan(result.median_high), (
        "the curve of some resamples never reaches 1/2"
    )
    curves = np.array([[0.6, 0.5, 0.1], [0.9, 0.8, 0.7], [np.nan] * 3])
    np.testing.assert_array_equal(survival._medians(curves, np.arange(1, 4)), [2, np.inf, np.inf])


def test_bands_close_when_all_episodes_are_alike_and_open_when_they_differ():
    alike = counts(np.array([2, 1, 1]), np.array([0, 0, 0]))
    result = survival.summarise([alike], 50, 0.9, 0).sel(value="zero")
    np.testing.assert_allclose(result.survival_low, result.survival)
    np.testing.assert_allclose(result.survival_high, result.survival)
    different = alike.copy(deep=True)
    different.ended[0] = 0
    different.ended[0, :, 0] = 9
    mixed = survival.summarise([different], 50, 0.9, 0).sel(value="zero")
    assert (mixed.survival_high - mixed.survival_low).max() > 0.1
    assert (mixed.survival_low <= mixed.survival + 1e-12).all() and (mixed.survival <= mixed.survival_high + 1e-12).all()


def test_one_episode_gives_no_band():
    single = survival.summarise([counts(np.array([2, 1]), np.array([0, 0]), episodes=1)], 50, 0.9, 0)
    assert single.survival_low.isnull().all() and not single.survival.sel(value="zero").isnull().any()


def test_the_restricted_mean_does_not_depend_on_durations_that_nothing_reached():
    for columns in (3, 4, 9):
        ended, cut = np.zeros(columns, int), np.zeros(columns, int)
        ended[:3], cut[:3] = [2, 1, 1], [0, 0, 1]
        result = survival.summarise([counts(ended, cut)], 20, 0.9, 0).sel(value="zero")
        np.testing.assert_allclose(result.restricted_mean.item(), 2.0)


def test_one_episode_that_switches_among_three_still_gives_a_band():
    one_switches = counts(np.array([3, 2, 1]), np.array([0, 0, 0]))
    for name in one_switches:
        one_switches[name][1:] = 0
    result = survival.summarise([one_switches], 400, 0.9, 0).sel(value="zero")
    assert result.survival_low.notnull().all() and result.survival_high.notnull().all()
