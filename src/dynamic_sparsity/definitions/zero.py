"""What a zero is: the one definition, for Jacobians of the simulator, of models, and of any precision."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import xarray as xr

Entries = TypeVar("Entries", np.ndarray, xr.DataArray)


def below(entries: Entries, threshold: float) -> Entries:
    """True where an entry's magnitude is below `threshold` (paper, section 5.1); never where it is NaN or infinite.

    numpy rounds a Python float to the precision of the array that it meets: in float32, 1e-8 is below 1e-8 then. A
    threshold of double precision is not rounded.
    """
    return abs(entries) < np.float64(threshold)


def at_most(entries: Entries, threshold: float) -> Entries:
    """True where an entry's magnitude is at most `threshold`, one that was read off magnitudes; rounded as little."""
    return abs(entries) <= np.float64(threshold)
