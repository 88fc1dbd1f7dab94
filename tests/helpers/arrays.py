"""Small lopsided arrays and strategies for them: 4 x 6 entries, so that a swapped axis fails."""

import numpy as np
import xarray as xr
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

OUT_LABELS = ["qpos:a", "qpos:b", "qvel:a", "qvel:b"]
IN_LABELS = [*OUT_LABELS, "ctrl:u", "ctrl:v"]
MAGNITUDES = st.sampled_from([0.0, -0.0, 1e-14, -1e-13, 1e-12, -1e-12, 2e-12, 1e-9, -0.5, 3.0, 1e-3])
WITH_NONFINITE = st.one_of(MAGNITUDES, st.sampled_from([np.nan, np.inf, -np.inf]))


def entries(values: np.ndarray) -> xr.DataArray:
    """Label an array [time, 4, 6]."""
    coords = {"out_dim": OUT_LABELS, "in_dim": IN_LABELS}
    return xr.DataArray(values, dims=("time", "out_dim", "in_dim"), coords=coords)


def jacobians(elements=WITH_NONFINITE, max_steps: int = 7):
    """Episodes of 1 to `max_steps` steps."""
    shape = st.integers(1, max_steps).map(lambda steps: (steps, 4, 6))
    return shape.flatmap(lambda s: hnp.arrays(float, s, elements=elements)).map(entries)


def masks(max_steps: int = 9):
    """Pairs (zero, finite) of one episode."""
    kind = st.integers(1, max_steps).flatmap(lambda n: hnp.arrays(np.int8, (n, 4, 6), elements=st.integers(0, 9)))
    return kind.map(lambda k: (entries(k < 5), entries(k > 0)))
