"""How long an entry stays zero or non-zero: its runs, and whether the ends of an episode cut them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT, TIME

VALUES = ("non-zero", "zero")
"""Labels of the dim `value`: the state that an entry stays in."""


def durations(zero: xr.DataArray, finite: xr.DataArray) -> xr.Dataset:
    """Maximal runs of equal values along `time` of every entry of one episode, one element per run (dim `run`).

    `run_length` (control steps), `run_zero` (True for a run of zeros), `run_out` and `run_in` (indices of the entry),
    `run_start` (first step), `run_start_censored` and `run_end_censored`: whether an end of the episode or a non-finite
    value cut the run there, so that its true length is at least `run_length`. Non-finite values belong to no run.
    """
    dims = (OUT, IN, TIME)
    value = xr.where(finite, zero.astype(np.int8), np.int8(-1)).transpose(*dims).values
    steps = value.shape[-1]
    changes = np.ones((*value.shape[:-1], steps + 1), bool)
    changes[..., 1:-1] = value[..., 1:] != value[..., :-1]
    out, column, boundary = np.nonzero(changes)
    first = np.flatnonzero(boundary < steps)  # each run starts at a boundary and ends at the next one
    start, end = boundary[first], boundary[first + 1]
    out, column = out[first], column[first]
    kind = value[out, column, start]
    before = np.where(start > 0, value[out, column, start - 1], -1)
    after = np.where(end < steps, value[out, column, np.minimum(end, steps - 1)], -1)
    is_run = kind >= 0
    arrays = {
        "run_length": (end - start).astype(np.int32),
        "run_zero": kind == 1,
        "run_out": out.astype(np.int16),
        "run_in": column.astype(np.int16),
        "run_start": start.astype(np.int32),
        "run_start_censored": before < 0,
        "run_end_censored": after < 0,
    }
    return xr.Dataset({name: ("run", array[is_run]) for name, array in arrays.items()})


def count_by_length(runs: xr.Dataset, steps: int) -> xr.Dataset:
    """Counts of runs by `value` and `duration` (1 … `steps` control steps), under two conventions for censored runs.

    Survival curves need `ended` and `cut`: the runs whose start was observed, with and without an observed end.
    A run that is under way at an episode's start has an unknown age; it counts in `unseen_start` only.
    `spanning`: runs that are cut at both ends, by the episode's ends or by non-finite values.
    `paper`: all runs but the spanning ones; a cut run counts with its observed length (paper, section 5.3).
    """
    zero = runs.run_zero.values.astype(int)
    length = runs.run_length.values
    start_cut, end_cut = runs.run_start_censored.values, runs.run_end_censored.values
    groups = {
        "ended": ~start_cut & ~end_cut,
        "cut": ~start_cut & end_cut,
        "unseen_start": start_cut & ~end_cut,
        "spanning": start_cut & end_cut,
        "paper": ~(start_cut & end_cut),
    }
    shape = (len(VALUES), steps + 1)
    counts = {
        name: np.bincount(zero[group] * shape[1] + length[group], minlength=shape[0] * shape[1]).reshape(shape)[:, 1:]
        for name, group in groups.items()
    }
    coords = {"value": list(VALUES), "duration": np.arange(1, steps + 1, dtype=np.int32)}
    return xr.Dataset({name: (("value", "duration"), count.astype(np.int32)) for name, count in counts.items()}, coords)


def counts_of(sparsity: xr.Dataset) -> xr.Dataset:
    """`count_by_length` of every episode of a sparsity store (dim `episode`); holds one episode in memory at a time."""
    masks = sparsity[["zero", "finite", "length"]]
    steps = sparsity.sizes[TIME]
    counted = [count_by_length(durations(episode.zero, episode.finite), steps) for episode in episodes_of(masks)]
    return xr.concat(counted, dim=EPISODE)
