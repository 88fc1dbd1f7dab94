"""The definition of a zero entry, for Jacobians of the simulator and of world models, in any precision."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import xarray as xr

Entries = TypeVar("Entries", np.ndarray, xr.DataArray)


def below(entries: Entries, threshold: float) -> Entries:
    """True where an entry's magnitude is below `threshold` (paper, section 5.1); False where it is NaN or infinite.

    The comparison is in double precision. numpy would round a Python float to the precision of the array, and float32's
    1e-8, which is 9.99999994e-9, would not be below 1e-8.
    """
    return abs(entries) < np.float64(threshold)


def at_most(entries: Entries, threshold: float) -> Entries:
    """True where an entry's magnitude is at most `threshold`, which is one of the magnitudes; not rounded either."""
    return abs(entries) <= np.float64(threshold)
