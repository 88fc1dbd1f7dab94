"""Whole blocks that are zero, against plain loops and cases made by hand."""

import itertools

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.sparsity import block_zeros
from dynamic_sparsity.sparsity.groups import Blocks
from tests.helpers.arrays import IN_LABELS, OUT_LABELS


def labelled(out_groups="xyxy", in_groups="xyxyyx", level="object"):
    """A dataset of one step of 4 x 6 entries: the variables of two objects in turn, and a control of each."""
    coords = {"out_dim": OUT_LABELS, "in_dim": IN_LABELS}
    groups = {f"out_{level}": ("out_dim", list(out_groups)), f"in_{level}": ("in_dim", list(in_groups))}
    return xr.Dataset({"jacobian": (("out_dim", "in_dim"), np.zeros((4, 6)))}, {**coords, **groups})


BLOCKS = Blocks.of(labelled(), "object")
ROWS = {"x": [0, 2], "y": [1, 3]}
COLUMNS = {"x": [0, 2], "y": [1, 3], "ctrl:y": [4], "ctrl:x": [5]}


def test_blocks_are_numbered_by_their_first_variable_and_controls_are_apart():
    assert BLOCKS.row_names == tuple(ROWS) and BLOCKS.column_names == tuple(COLUMNS)
    assert BLOCKS.dims == ("row_object", "column_object")
    with pytest.raises(UserError, match="does not say which joint"):
        Blocks.of(labelled(), "joint")


def test_reductions_are_over_the_entries_of_each_block():
    entries = np.random.default_rng(0).normal(size=(3, 4, 6))
    reduced = BLOCKS.reduce(np.add, entries)
    for (i, rows), (j, columns) in itertools.product(enumerate(ROWS.values()), enumerate(COLUMNS.values())):
        np.testing.assert_allclose(reduced[:, i, j], entries[:, rows][:, :, columns].sum((1, 2)))


def slow_count(zero, finite, rows, columns):
    """Known and zero steps of one block, its runs, and those that are cut."""
    symbols = ""
    for step in range(len(zero)):
        entries = [(zero[step, r, c], finite[step, r, c]) for r in rows for c in columns]
        symbols += "?" if not all(is_finite for _, is_finite in entries) else ".Z"[all(is_zero for is_zero, _ in entries)]
    runs, cut = 0, 0
    for is_zero, run in itertools.groupby(enumerate(symbols), key=lambda pair: pair[1] == "Z"):
        if is_zero:
            steps = [step for step, _ in run]
            padded = f"?{symbols}?"
            runs, cut = runs + 1, cut + ("?" in (padded[steps[0]], padded[steps[-1] + 2]))
    return len(symbols) - symbols.count("?"), symbols.count("Z"), runs, cut


@pytest.mark.parametrize("seed", range(6))
def test_counts_match_loops(seed):
    rng = np.random.default_rng(seed)
    finite = rng.random((40, 4, 6)) < 0.98
    zero = (rng.random((40, 4, 6)) < 0.7) & finite
    zero[rng.random(40) < 0.5] = True
    zero &= finite
    counts = block_zeros.count(zero, finite, BLOCKS)
    for (row, rows), (column, columns) in itertools.product(ROWS.items(), COLUMNS.items()):
        block = counts.sel(row_object=row, column_object=column)
        expected = slow_count(zero, finite, rows, columns)
        assert tuple(int(block[name]) for name in ("known", "zero", "runs", "cut_runs")) == expected
        shares = [zero[:, r, c].sum() / finite[:, r, c].sum() for r in rows for c in columns]
        assert block.independent.item() == pytest.approx(expected[0] * np.prod(shares))


def test_two_objects_that_touch_every_fourth_step():
    zero = np.zeros((8, 4, 6), bool)
    free = np.arange(8) % 4 != 3
    for rows, columns in ((ROWS["x"], COLUMNS["y"]), (ROWS["y"], COLUMNS["x"])):
        zero[np.ix_(free, rows, columns)] = True
    result = block_zeros.statistics(block_zeros.count(zero, np.ones_like(zero), BLOCKS))
    apart, own = result.sel(row_object="x", column_object="y"), result.sel(row_object="x", column_object="x")
    assert apart.zero_share == 0.75 and apart.zero_duration == 3 and apart.cut_share == 0.5
    assert apart.independent_share == pytest.approx(0.75**4) and apart.excess == pytest.approx(0.75 - 0.75**4)
    assert own.zero_share == 0 and np.isnan(own.zero_duration)


def test_independent_entries_have_no_excess():
    rng = np.random.default_rng(2)
    zero = rng.random((20_000, 4, 6)) < 0.8
    result = block_zeros.statistics(block_zeros.count(zero, np.ones_like(zero), BLOCKS))
    assert abs(result.excess).max() < 0.015
    assert result.zero_share.sel(row_object="x", column_object="x").item() == pytest.approx(0.8**4, abs=0.015)


def test_an_episode_without_steps_counts_nothing():
    none = np.zeros((0, 4, 6), bool)
    assert all(int(array.sum()) == 0 for array in block_zeros.count(none, none, BLOCKS).data_vars.values())
