"""Blocks of a Jacobian that are zero as a whole: what one object's next state does not depend on, and for how long."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynamic_sparsity.sparsity.groups import Blocks
from dynamic_sparsity.sparsity.ratios import ratio


def count(zero: np.ndarray, finite: np.ndarray, blocks: Blocks) -> xr.Dataset:
    """Counts of the whole blocks of one episode; masks [time, row, column] of all of its steps.

    - `known`: steps in which every entry of the block is finite; `zero`: those in which every entry is zero;
    - `runs`: maximal runs of such consecutive zero steps; `cut_runs`: those that an end of the episode, or a step that is
      not known, cuts;
    - `independent`: the number of zero steps to expect if each entry of the block were zero as often as it is, at times
      that do not depend on the other entries: `known` times the product of the entries' shares of zeros.
    """
    known = blocks.reduce(np.logical_and, finite)
    whole = blocks.reduce(np.logical_and, zero & finite)
    steps = finite.sum(0)
    shares = (zero & finite).sum(0) / np.maximum(steps, 1)
    runs, cut = _runs(whole, known)
    arrays = {
        "known": known.sum(0),
        "zero": whole.sum(0),
        "runs": runs,
        "cut_runs": cut,
        "independent": known.sum(0) * blocks.reduce(np.multiply, shares),
    }
    return xr.Dataset({name: (blocks.dims, array) for name, array in arrays.items()}, blocks.coords)


def statistics(sums: xr.Dataset) -> xr.Dataset:
    """Statistics of whole blocks, from sums of `count` over episodes.

    - `zero_share`: share of the known steps in which the block is zero; `independent_share`: the same for entries that are
      zero at independent times; `excess`: the difference;
    - `zero_duration`: mean duration of the runs of zero steps, in control steps. Runs that are cut count with their
      observed length, so that this is a lower bound if `cut_share`, their share, is not 0. NaN if there is no run.
    """
    share, independent = ratio(sums.zero, sums.known), ratio(sums.independent, sums.known)
    return xr.Dataset(
        {
            "zero_share": share,
            "independent_share": independent,
            "excess": share - independent,
            "zero_duration": ratio(sums.zero, sums.runs),
            "cut_share": ratio(sums.cut_runs, sums.runs),
        }
    )


def _runs(whole: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of runs of True along the first axis, and number of those that are cut."""
    outside = np.zeros((1, *whole.shape[1:]), bool)
    before, after = np.concatenate([outside, whole[:-1]]), np.concatenate([whole[1:], outside])
    known_before, known_after = np.concatenate([outside, known[:-1]]), np.concatenate([known[1:], outside])
    shape = whole.shape[1:]
    row, column, start = np.nonzero(np.moveaxis(whole & ~before, 0, -1))
    *_, end = np.nonzero(np.moveaxis(whole & ~after, 0, -1))  # in the order of the starts: block by block, then in time
    is_cut = ~known_before[start, row, column] | ~known_after[end, row, column]
    block = row * shape[1] + column
    size = shape[0] * shape[1]
    return (
        np.bincount(block, minlength=size).reshape(shape),
        np.bincount(block[is_cut], minlength=size).reshape(shape),
    )
