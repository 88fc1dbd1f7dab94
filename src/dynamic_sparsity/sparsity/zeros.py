"""Zero entries of a Jacobian: masks, the sparsity of each step, and counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions.blocks import BLOCKS, in_block
from dynamic_sparsity.definitions.zero import below
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME


def zero_mask(jacobian: xr.DataArray, threshold: float) -> xr.DataArray:
    """True where an entry's magnitude is below `threshold`: no first-order influence (paper, section 5.1).

    Non-finite entries are not zero; `finite_mask` finds them.
    """
    return below(jacobian.drop_attrs(deep=False), threshold)  # the entry's unit does not apply to its mask


def finite_mask(jacobian: xr.DataArray) -> xr.DataArray:
    """True where an entry is a number: neither NaN nor infinite."""
    return xr.ufuncs.isfinite(jacobian.drop_attrs(deep=False))


def per_block(entries: xr.DataArray) -> xr.DataArray:
    """The sum over the entries (out_dim, in_dim) of each block, along the new dim `block`."""
    sums = [entries[{IN: np.flatnonzero(in_block(entries[IN], block))}].sum((OUT, IN)) for block in BLOCKS]
    return xr.concat(sums, dim=xr.DataArray(list(BLOCKS), dims="block", name="block"), coords="minimal")


def sparsity(zero: xr.DataArray, finite: xr.DataArray) -> xr.DataArray:
    """Zero entries / finite entries of each step and block (paper, section 5.1); NaN where no entry is finite."""
    entries = per_block(finite)
    return per_block(zero & finite) / entries.where(entries > 0)


def summarise_episode(episode: xr.Dataset, threshold: float, thresholds: Sequence[float]) -> xr.Dataset:
    """Zeros of one episode of a Jacobian store, cut to the episode's length.

    Returns the masks `zero` and `finite` at the main threshold and, for each of `thresholds` (dim `threshold`), the
    sparsity of each step and how often each entry is zero. `free_…` counts only steps without an active constraint.
    """
    jacobian = episode.jacobian
    finite = finite_mask(jacobian)
    zero = zero_mask(jacobian, threshold)
    free = ~episode.constraint_active.any(CONSTRAINT)
    levels = xr.DataArray(np.asarray(thresholds, float), dims="threshold", name="threshold")
    swept = [zero_mask(jacobian, level) for level in thresholds]
    return xr.Dataset(
        {
            "zero": zero,
            "finite": finite,
            "constraint_free": free,
            "constraint_active": episode.constraint_active,
            "constraint_loaded": episode.constraint_loaded,
            "sparsity": xr.concat([sparsity(mask, finite) for mask in swept], dim=levels),
            "zero_count": xr.concat([_count(mask) for mask in swept], dim=levels),
            "finite_count": _count(finite),
            "free_zero_count": _count(zero & free),
            "free_finite_count": _count(finite & free),
            "length": episode.length,
        }
    )


def _count(mask: xr.DataArray) -> xr.DataArray:
    """In how many steps each entry is true."""
    return mask.sum(TIME).astype(np.int32)


def zero_fraction(counts: xr.Dataset, threshold: float) -> xr.DataArray:
    """Share of an entry's finite values, over all episodes, that are zero (paper, figure 3); NaN if none is finite."""
    zeros = counts.zero_count.sel(threshold=threshold).sum(EPISODE)
    finite = counts.finite_count.sum(EPISODE)
    return zeros / finite.where(finite > 0)


def always_zero(counts: xr.Dataset, threshold: float) -> xr.DataArray:
    """True for globally sparse entries: zero wherever they are finite (paper, table 1); False if never finite."""
    finite = counts.finite_count.sum(EPISODE)
    return (counts.zero_count.sel(threshold=threshold).sum(EPISODE) == finite) & (finite > 0)


def always_zero_when_free(counts: xr.Dataset) -> xr.DataArray:
    """True for entries that are zero wherever they are finite in steps without an active constraint.

    False for entries that are never finite in such a step; all are False if there is no such step.
    """
    finite = counts.free_finite_count.sum(EPISODE)
    return (counts.free_zero_count.sum(EPISODE) == finite) & (finite > 0)


def pad_time(summary: xr.Dataset, steps: int) -> xr.Dataset:
    """Pads an episode's summary to `steps` steps with NaN, False or 0."""
    missing = steps - summary.sizes[TIME]
    if not missing:
        return summary
    timed = {name: array for name, array in summary.data_vars.items() if TIME in array.dims}
    fill = {name: np.nan if array.dtype.kind == "f" else array.dtype.type(0) for name, array in timed.items()}
    padded = {name: a.pad({TIME: (0, missing)}, constant_values=fill[name]) for name, a in timed.items()}
    return summary.drop_dims(TIME).assign(padded)
