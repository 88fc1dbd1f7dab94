"""The table that compares ways to differentiate, on Jacobians written by hand."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.sparsity.tables import method_ablation


def store(variant, jacobian, length=(2, 1)):
    """Two episodes of two steps, the second one step long; one row and three columns."""
    arrays = {
        "jacobian": (("episode", "time", "out_dim", "in_dim"), np.array(jacobian, float)[:, :, None]),
        "step_difference": (("episode", "time"), np.array([[1e-8, 3e-8], [2e-8, np.nan]])),
        "length": (("episode",), np.array(length)),
    }
    return xr.Dataset(arrays, attrs={"task": "T", "policy": "expert", "variant": variant})


REFERENCE = [[[4, 0, 0], [2, 1e-5, 0]], [[1, 1, 0], [np.nan, np.nan, np.nan]]]
OTHER = [[[4, 0, 1e-9], [2.5, 1e-5, 0]], [[1, 1, np.nan], [np.nan, np.nan, np.nan]]]


@pytest.fixture
def table():
    return method_ablation.build([store("unrolled", REFERENCE), store("finite", OTHER)], {}).set_index(["way", "threshold"])


def test_the_reference_agrees_with_itself(table):
    own = table.loc["unrolled"]
    assert (own.disagreeing == 0).all() and (own.same_pattern == 1).all() and (own.error_99 == 0).all()


def test_what_differs_is_counted_step_by_step(table):
    strict, coarse = table.loc[("finite", 1e-12)], table.loc[("finite", 1e-8)]
    assert strict.steps == 3
    np.testing.assert_allclose(strict.error_median, 1e-9 / 4)
    np.testing.assert_allclose(strict.step_difference, 2e-8)
    np.testing.assert_allclose(strict.nonfinite_share, 1 / 9)
    np.testing.assert_allclose([strict.sparsity, strict.sparsity_unrolled], [2 / 8, 3 / 8])
    np.testing.assert_allclose(strict.disagreeing, (1 / 3 + 0 + 0) / 3)
    np.testing.assert_allclose([strict.disagreeing_low, strict.disagreeing_high], [0, 1 / 6])
    np.testing.assert_allclose(strict.same_pattern, 2 / 3)
    assert coarse.disagreeing == 0 and coarse.same_pattern == 1
