"""The blocks of a Jacobian that the paper distinguishes."""

from __future__ import annotations

import numpy as np
import xarray as xr

STATE, ACTION, ALL = "J_s", "J_a", "[J_s J_a]"

BLOCKS = (STATE, ACTION, ALL)
"""The paper's J_s (columns are state variables), J_a (columns are controls), and both side by side."""


def in_block(columns: xr.DataArray, block: str) -> np.ndarray:
    """True for the columns (labels of `in_dim`) that belong to `block`."""
    is_control = np.strings.startswith(columns.values, "ctrl:")
    return {STATE: ~is_control, ACTION: is_control, ALL: np.ones(len(is_control), bool)}[block]
