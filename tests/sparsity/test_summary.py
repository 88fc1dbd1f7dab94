"""Zeros over seeds, on a system whose zeros are known."""

import numpy as np
import xarray as xr

from dynamic_sparsity.sparsity import summary
from tests.helpers.studies import RESAMPLING, patterned, summarised, survived


def test_summary_says_what_is_zero_and_what_breaks_it(usual):
    result = summary.summarise(usual, 1e-12, RESAMPLING)
    steps = 5 * 20 + 11
    loaded = 5 * 5 + 2  # every fourth step, which is two of the eleven steps of the short episode
    assert result.steps == steps and result.free_steps == steps - loaded
    assert result.global_zeros.sel(threshold=1e-12).values.tolist() == [0, 0, 0]
    assert result.free_global_zeros.sel(block="J_s") == 3 and result.broken_entry.sum() == 3
    assert result.broken_steps == loaded
    assert result.broken_loaded.sel(constraint="joint_limit:a") == loaded
    assert result.broken_loaded.sel(constraint="contact:floor/foot") == 0
    expected = (steps - loaded) / steps
    np.testing.assert_allclose(result.zero_fraction.sel(threshold=1e-12, out_dim="qvel:b", in_dim="qpos:a"), expected)
    assert result.zero_fraction.sel(threshold=1e-12, in_dim="ctrl:v").max() == 0
    assert result.mean_sparsity.sel(threshold=1e-12, block="J_a") == 0
    full, short = 15 / 20 * 3 / 16, 9 / 11 * 3 / 16
    np.testing.assert_allclose(result.mean_sparsity.sel(threshold=1e-12, block="J_s"), (5 * full + short) / 6)
    assert (result.nonfinite_fraction == 0).all(), "padding is not a sample"


def test_every_dim_of_a_study_has_a_name(usual):
    for dataset in (summarised(usual), survived(usual), patterned(usual)):
        assert isinstance(dataset, xr.Dataset) and not any(str(dim).startswith("dim_") for dim in dataset.dims)
