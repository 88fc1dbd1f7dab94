"""Zero masks, sparsity and counts against slow, obvious twins."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given

from dynamic_sparsity.definitions.blocks import in_block
from dynamic_sparsity.sparsity import zeros
from tests.helpers.arrays import IN_LABELS, OUT_LABELS, entries, jacobians

STATE_COLUMNS, CONTROL_COLUMNS = range(4), range(4, 6)
COLUMNS = {"J_s": STATE_COLUMNS, "J_a": CONTROL_COLUMNS, "[J_s J_a]": range(6)}


def slow_sparsity(matrix, columns, threshold):
    zero = total = 0
    for row in matrix:
        for column in columns:
            if math.isfinite(row[column]):
                total += 1
                zero += abs(row[column]) < threshold
    return zero / total if total else math.nan


@given(jacobians())
def test_sparsity_of_each_step_and_block(jacobian):
    for threshold in (1e-12, 1e-3):
        result = zeros.sparsity(zeros.zero_mask(jacobian, threshold), zeros.finite_mask(jacobian))
        for block, columns in COLUMNS.items():
            expected = [slow_sparsity(matrix, columns, threshold) for matrix in jacobian.values]
            np.testing.assert_equal(result.sel(block=block).values.tolist(), expected)


@given(jacobians())
def test_nonfinite_entries_are_neither_zero_nor_counted(jacobian):
    zero, finite = zeros.zero_mask(jacobian, 1e-12), zeros.finite_mask(jacobian)
    assert not (zero & ~finite).any()
    assert int(finite.sum()) == sum(math.isfinite(x) for x in jacobian.values.ravel())


def episode(jacobian: xr.DataArray, active=None) -> xr.Dataset:
    steps = jacobian.sizes["time"]
    active = np.zeros((steps, 2), bool) if active is None else active
    mask = xr.DataArray(active, dims=("time", "constraint"), coords={"constraint": ["contact:a/b", "joint_limit:c"]})
    return xr.Dataset(
        {"jacobian": jacobian, "constraint_active": mask, "constraint_loaded": mask, "length": ((), np.int32(steps))}
    )


@given(jacobians())
def test_counts_pool_to_fractions_and_global_zeros(jacobian):
    thresholds = [1e-13, 1e-12, 1e-3]
    summary = zeros.summarise_episode(episode(jacobian), 1e-12, thresholds)
    counts = xr.concat([summary, summary], dim="episode")
    for threshold in thresholds:
        always = zeros.always_zero(counts, threshold).values
        fraction = zeros.zero_fraction(counts, threshold).values
        for row in range(4):
            for column in range(6):
                samples = [x for x in jacobian.values[:, row, column] if math.isfinite(x)]
                expected = [abs(x) < threshold for x in samples]
                assert bool(always[row, column]) == (bool(samples) and all(expected))
                share = sum(expected) / len(samples) if samples else math.nan
                np.testing.assert_allclose(fraction[row, column], share, rtol=1e-12)


def test_identities():
    dense = entries(np.ones((3, 4, 6)))
    summary = zeros.summarise_episode(episode(dense), 1e-12, [1e-12])
    assert (summary.sparsity == 0).all() and not zeros.always_zero(summary.expand_dims("episode"), 1e-12).any()
    all_zero = zeros.summarise_episode(episode(0 * dense), 1e-12, [1e-12])
    assert (all_zero.sparsity == 1).all() and zeros.always_zero(all_zero.expand_dims("episode"), 1e-12).all()
    assert not zeros.zero_mask(0 * dense, 0.0).any(), "nothing is below a threshold of 0"
    shuffled = dense.copy(data=np.random.default_rng(0).normal(size=(3, 4, 6)) ** 9)
    swapped = shuffled.isel(out_dim=[2, 0, 3, 1])
    np.testing.assert_array_equal(
        zeros.sparsity(zeros.zero_mask(shuffled, 1e-3), zeros.finite_mask(shuffled)),
        zeros.sparsity(zeros.zero_mask(swapped, 1e-3), zeros.finite_mask(swapped)),
    )


def test_the_threshold_is_strict_and_absolute():
    jacobian = entries(np.full((1, 4, 6), -1e-12))
    assert not zeros.zero_mask(jacobian, 1e-12).any()
    assert zeros.zero_mask(jacobian, np.nextafter(1e-12, 1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [1e-300, 1e-46, 1e-12, 1e-3])
def test_the_threshold_is_not_rounded_to_the_arrays_precision(dtype, threshold):
    values = np.zeros((1, 4, 6), dtype)
    values[0, 0] = [0.0, 1e-44, 9.9e-13, 1.01e-12, 9.9e-4, 1.01e-3]
    expected = [abs(float(x)) < threshold for x in values[0, 0]]
    assert zeros.zero_mask(entries(values), threshold).values[0, 0].tolist() == expected
    assert zeros.zero_mask(entries(values), threshold).values[0, 1:].all()


def test_free_zeros_count_only_steps_without_an_active_constraint():
    values = np.zeros((3, 4, 6))
    values[1] = 1.0  # the constraint of this step makes everything depend on everything
    active = np.array([[False, False], [True, False], [False, False]])
    summary = zeros.summarise_episode(episode(entries(values), active), 1e-12, [1e-12]).expand_dims("episode")
    assert not zeros.always_zero(summary, 1e-12).any()
    assert zeros.always_zero_when_free(summary).all()
    assert summary.free_finite_count.values.max() == 2
    all_active = zeros.summarise_episode(episode(entries(values), np.ones((3, 2), bool)), 1e-12, [1e-12])
    assert not zeros.always_zero_when_free(all_active.expand_dims("episode")).any(), "no free step, no claim"


def test_padding_marks_what_is_not_there():
    summary = zeros.summarise_episode(episode(entries(np.zeros((2, 4, 6)))), 1e-12, [1e-12])
    padded = zeros.pad_time(summary, 5)
    assert padded.sizes["time"] == 5 and int(padded.length) == 2
    assert padded.sparsity.isel(time=slice(2, None)).isnull().all()
    assert not padded.zero.isel(time=slice(2, None)).any() and padded.zero.dtype == bool
    assert int(padded.finite_count.max()) == 2


@pytest.mark.parametrize(("block", "columns"), COLUMNS.items())
def test_blocks_are_told_by_labels(block, columns):
    labels = xr.DataArray(np.array(IN_LABELS, dtype=np.dtypes.StringDType()), dims="in_dim")
    assert list(np.flatnonzero(in_block(labels, block))) == list(columns)
    assert IN_LABELS[:4] == OUT_LABELS
