"""Ablation stores written by hand, and their comparison."""

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.ablation import AblationSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import ablation

TRUTH = [[[4, 0, 0], [2, 1e-5, 0], [3, 1, 1]], [[1, 1, 0], [np.nan] * 3, [np.nan] * 3]]
OTHER = [[[4, 0, 1e-9], [2.5, 1e-5, 0], [9, 9, 9]], [[1, 1, np.nan], [np.nan] * 3, [np.nan] * 3]]
ROUGHNESS = [[1e-9, 2e-4, 0.5], [1e-8, np.nan, np.nan]]
"""The third step of the first episode is rough."""


def store(roughness=ROUGHNESS, length=(3, 1), **ways):
    """Two episodes of three steps, the second one step long; one row and three columns."""
    names = [way.replace("_", "-") for way in ways]
    roughnesses = [np.array(roughness) if name.startswith("differences") else np.full((2, 3), np.nan) for name in names]
    differences = np.array([[1e-8, 3e-8, 9e-8], [6e-8, np.nan, np.nan]])
    arrays = {
        "jacobian": (("episode", "way", "time", "out_dim", "in_dim"), np.stack(list(ways.values()), 1)[:, :, :, None]),
        "step_difference": (("episode", "way", "time"), np.stack([differences] * len(names), 1)),
        "roughness": (("episode", "way", "time"), np.stack(roughnesses, 1)),
        "constraint_active": (("episode", "time", "constraint"), np.array([[[0], [1], [1]], [[0], [0], [0]]], bool)),
        "solver_converged": (("episode", "time"), np.array([[1, 1, 0], [1, 0, 0]], bool)),
        "length": (("episode",), np.array(length)),
    }
    return xr.Dataset(arrays, coords={"way": names, "episode": [0, 1]})


def compared(**ways):
    """The comparison of one store with these ways, at two thresholds."""
    settings = AblationSettings(thresholds=[1e-12, 1e-8])
    arrays = {way: np.array(jacobian, float) for way, jacobian in ways.items()}
    result = ablation.compare([store(**arrays)], settings, ResamplingSettings(resamples=200))
    result.attrs = {"task": "T", "policy": "expert"}
    return result
