"""Shares of zeros by kind of entry, on small random counts and on cases made by hand."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import summary
from dynamic_sparsity.sparsity.zero_kinds import KINDS, kind_shares
from tests.helpers.arrays import IN_LABELS, OUT_LABELS
from tests.helpers.studies import RESAMPLING, touching
from tests.helpers.synthetic import sparsity_store

MANY = ResamplingSettings(resamples=4000, confidence=0.8)


def counted(counts):
    """A study seed with these counts of zeros [episode, out_dim, in_dim]."""
    coords = {"threshold": [1e-12], "out_dim": OUT_LABELS, "in_dim": IN_LABELS}
    array = np.asarray(counts, np.int32)[:, None]
    return xr.Dataset({"zero_count": (("episode", "threshold", "out_dim", "in_dim"), array)}, coords)


def entries(mask):
    return xr.DataArray(mask, dims=("out_dim", "in_dim"), coords={"out_dim": OUT_LABELS, "in_dim": IN_LABELS})


def random_study(seed):
    """Counts of two study seeds with three and two episodes; entries that are always zero, broken, or neither."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (4, 6))
    return [rng.integers(0, 9, (episodes, 4, 6)) for episodes in (3, 2)], kind == 0, kind == 1


def shares_by_loops(counts, always, broken):
    totals = dict.fromkeys(KINDS, 0)
    for row in range(4):
        for column in range(6):
            kind = "always" if always[row, column] else "broken" if broken[row, column] else "otherwise"
            for episode in counts:
                totals[kind] += int(episode[row, column])
    return [totals[kind] / sum(totals.values()) for kind in KINDS]


@pytest.mark.parametrize("seed", range(5))
def test_shares_and_intervals_are_those_of_plain_loops(seed):
    counts, always, broken = random_study(seed)
    result = kind_shares([*map(counted, counts)], entries(always), entries(broken), 1e-12, MANY)
    np.testing.assert_allclose(result["zero_kind_share"], shares_by_loops(np.concatenate(counts), always, broken))
    rng = np.random.default_rng(9)
    drawn = [[part[rng.integers(len(part), size=len(part))] for part in counts] for _ in range(1500)]
    resampled = np.array([shares_by_loops(np.concatenate(draw), always, broken) for draw in drawn])
    for end, quantile in (("_low", 0.1), ("_high", 0.9)):
        np.testing.assert_allclose(result[f"zero_kind_share{end}"], np.quantile(resampled, quantile, axis=0), atol=0.015)


def test_shares_sum_to_one_and_do_not_depend_on_the_order_of_entries():
    counts, always, broken = random_study(7)
    result = kind_shares([*map(counted, counts)], entries(always), entries(broken), 1e-12, RESAMPLING)
    assert result["zero_kind_share"].sum() == pytest.approx(1)
    order = np.random.default_rng(0).permutation(6)
    permuted = [counted(part[:, :, order]) for part in counts]
    again = kind_shares(permuted, entries(always[:, order]), entries(broken[:, order]), 1e-12, RESAMPLING)
    for name, shares in result.items():
        np.testing.assert_array_equal(shares, again[name])


def kinds(*seeds):
    result = summary.summarise(seeds, 1e-12, RESAMPLING)
    return [result[f"zero_kind_share{end}"].sel(zero_kind=list(KINDS)).values.tolist() for end in ("", "_low", "_high")]


def test_a_limit_breaks_all_zeros_or_none_by_hand():
    """Column qpos:a is zero off the diagonal in free steps; nothing else is ever zero."""
    assert kinds(sparsity_store(0, touching(3, 20))) == [[0, 1, 0]] * 3
    assert kinds(sparsity_store(0, np.zeros((3, 20), bool))) == [[1, 0, 0]] * 3


def test_what_is_zero_in_some_free_steps_only_is_of_the_third_kind():
    """Entry (qvel:b, ctrl:v) is zero at every second step, which is free; the three others stay zero."""
    store = sparsity_store(0, np.zeros((2, 8), bool))
    for name in ("zero_count", "free_zero_count"):
        store[name].loc[{"out_dim": "qvel:b", "in_dim": "ctrl:v"}] = 4
    assert kinds(store)[0] == [pytest.approx(48 / 56), 0, pytest.approx(8 / 56)]


def test_without_zeros_or_with_one_episode_shares_or_intervals_are_unknown():
    assert np.isnan(kinds(sparsity_store(0, np.ones((2, 6), bool)))).all(), "the limit is loaded at every step"
    share, low, high = kinds(sparsity_store(0, touching(1, 20)))
    assert share == [0, 1, 0] and np.isnan(low).all() and np.isnan(high).all()
