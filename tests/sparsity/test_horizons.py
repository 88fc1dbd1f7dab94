"""How far zeros carry in made-up studies whose answer is known."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.settings.horizons import HorizonSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import horizons, products
from dynamic_sparsity.sparsity.ratios import with_intervals
from tests.helpers.arrays import IN_LABELS, OUT_LABELS
from tests.helpers.synthetic import with_objects

RESAMPLING = ResamplingSettings(resamples=40)
APART = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]] * 2, dtype=float)
"""Two objects that do not touch: `a` and `b`, each with a position, a velocity and a control."""


def store(jacobian, seed=0, lengths=None):
    """A Jacobian store in memory, [episode, time, 4, 6]."""
    episodes, steps = jacobian.shape[:2]
    dims = ("episode", "time", "out_dim", "in_dim")
    arrays = {"jacobian": (dims, jacobian), "length": ("episode", np.array(lengths or [steps] * episodes, np.int32))}
    coords = {"out_dim": OUT_LABELS, "in_dim": IN_LABELS}
    return with_objects(xr.Dataset(arrays, coords, {"seed": seed}))


def touching(touch):
    """Jacobians of two objects that depend on each other where `touch` [episode, time] is true."""
    return np.where(touch[..., None, None], 1.0, APART)


def summarised(*stores, steps=(1, 2, 4), starts=6):
    return horizons.summarise(stores, 1e-12, HorizonSettings(steps=list(steps), starts=starts), RESAMPLING)


def test_objects_that_never_touch_stay_apart():
    result = summarised(store(touching(np.zeros((3, 20), bool))), store(touching(np.zeros((2, 20), bool)), seed=1))
    assert (result.left == 1).all() and np.isinf(result.half).all() and np.isinf(result.half_low).all()
    assert (result.lifetime == 4).all() and result.longer == result.longer_low == result.longer_high == 0
    assert result.products.values.tolist() == [[30] * 4] * 3 and result.first_share == 0.5
    assert result.object_zero_share.sel(row_object="a", column_object=["b", "ctrl:b"]).values.tolist() == [1, 1]
    assert np.isinf(result.object_half.sel(row_object="a", column_object="b")).all()
    assert np.isnan(result.object_half.sel(row_object="a", column_object="a")).all(), "no zeros"
    assert (result.object_cut_share.sel(row_object="a", column_object="b") == 1).all()


def test_one_factor_gives_the_shares_of_zeros_of_the_sampled_steps():
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(2, 9, 4, 6)) * (rng.random((2, 9, 4, 6)) < 0.6)
    result = summarised(store(jacobian), steps=[1], starts=9)
    for zeros_by in horizons.ZEROS_BY:
        share = result.zero_share.sel(zeros_by=zeros_by, horizon=1)
        if zeros_by != "shuffled":
            np.testing.assert_allclose(share, (jacobian == 0).mean((0, 1)))
        assert result.left.sel(zeros_by=zeros_by).values.tolist() == [1]
    assert result.first_share.item() == pytest.approx((jacobian == 0).mean())


def test_contacts_in_one_stretch_leave_zeros_for_longer_than_scattered_ones():
    """Ten of 40 steps touch: in one stretch, or at random times, as the null model has it."""
    stretch = np.broadcast_to(np.arange(40) >= 30, (4, 40))
    result = summarised(store(touching(stretch)), steps=[1, 2, 4, 8], starts=30)
    assert result.longer_low > 0.5
    scattered = np.random.default_rng(1).permuted(stretch, axis=1)
    result = summarised(store(touching(scattered)), steps=[1, 2, 4, 8], starts=30)
    assert abs(result.longer) < 0.6


def test_the_shuffled_null_is_what_independent_patterns_give():
    """Zeros between two objects survive k independent steps with probability free^k: `left` is free^(k-1)."""
    touch = np.random.default_rng(2).random((40, 60)) < 0.25
    left = summarised(store(touching(touch)), starts=50).left.sel(step=[1, 2, 3, 4])
    for zeros_by in ("structure", "shuffled"):
        np.testing.assert_allclose(left.sel(zeros_by=zeros_by), 0.75 ** np.arange(4), atol=0.05)


def zeros_of_products(touch, rng, longest=3, starts=8):
    """[zero or first, zeros_by, step] Zeros of products of one episode [time] of `touching`, in order and shuffled."""
    zero = touching(touch[None])[0] == 0
    steps = products.consecutive(products.start_steps(len(touch), longest, starts), longest)
    orders = [steps, products.shuffled(len(touch), steps[:, 0], longest, rng)]
    counted = [products.by_structure(zero, np.ones_like(zero), np.arange(4), order) for order in orders]
    return [[counts.zero.sum((1, 2)) for counts in counted], [counts.first.sum((1, 2)) for counts in counted]]


def test_no_difference_is_found_where_there_is_none():
    """200 simulated studies of independent patterns: the interval of `longer` leaves out 0, and p is below 5 %, in 5 %."""
    rng = np.random.default_rng(4)
    outside, rejected = 0, 0
    dims, coords = ("episode", "zeros_by", "step"), {"zeros_by": ["structure", "shuffled"], "step": [1, 2, 3]}
    for trial in range(200):
        zero, first = np.moveaxis(np.array([zeros_of_products(rng.random(20) < 0.3, rng) for _ in range(8)]), 1, 0)
        study = xr.Dataset({"zero": (dims, zero), "first": (dims, first)}, coords)
        resampling = ResamplingSettings(resamples=100, seed=trial)
        result = with_intervals([study], horizons.lifetimes, resampling, tested=["longer"])
        outside += not result.longer_low <= 0 <= result.longer_high
        rejected += result.longer_p_value.item() < 0.05
    assert 0.01 < outside / 200 < 0.12 and 0.01 < rejected / 200 < 0.1


def test_what_is_left_in_a_block_matches_the_zeros_of_its_products():
    rng = np.random.default_rng(6)
    jacobian = rng.normal(size=(2, 12, 4, 6)) * (rng.random((2, 12, 4, 6)) < 0.4)
    jacobian[1, 7:] = np.nan
    result = summarised(store(jacobian, lengths=[12, 7]), starts=3)
    entries = np.zeros((2, 4, 6))
    for episode, starts in zip(jacobian, ([1, 4, 7], [0, 2, 3]), strict=True):
        for start in starts:
            chain = (episode[start : start + 4] != 0).astype(int)
            entries[0] += chain[0] == 0
            entries[1] += chain[3][:, :4] @ chain[2][:, :4] @ chain[1][:, :4] @ chain[0] == 0
    np.testing.assert_allclose(result.zero_share.sel(zeros_by="structure", horizon=[1, 4]), entries / 6)
    rows, columns = [0, 2], {"a": [0, 2], "b": [1, 3], "ctrl:a": [4], "ctrl:b": [5]}
    for name, of_column in columns.items():
        block = entries[:, rows][:, :, of_column].sum((1, 2))
        left = result.joint_left.sel(zeros_by="structure", step=4, row_joint="a", column_joint=name)
        assert left.item() == pytest.approx(block[1] / block[0])
    assert result.left.sel(zeros_by="structure", step=4).item() == pytest.approx(entries[1].sum() / entries[0].sum())


def test_steps_that_are_not_finite_are_in_no_statistic():
    jacobian = touching(np.zeros((2, 10), bool))
    jacobian[0, 4, 0, 0] = np.nan
    result = summarised(store(jacobian), starts=7)
    assert result.products.sel(zeros_by="structure").values.tolist() == [13, 12, 11, 10]
    assert (result.left == 1).all()
    assert result.object_zero_share.sel(row_object="a", column_object="b") == 1
    nothing = summarised(store(np.full((1, 6, 4, 6), np.nan)))
    assert (nothing.products == 0).all() and nothing.left.isnull().all() and nothing.half.isnull().all()
    assert np.isnan(nothing.first_share) and nothing.object_zero_share.isnull().all()
