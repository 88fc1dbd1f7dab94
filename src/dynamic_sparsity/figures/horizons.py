"""How far zeros carry: what is left of them when the Jacobians of consecutive steps are multiplied.

Each panel is one task under the first policy that acts in it. Lines give the zeros of products of k steps over the
zeros of their first factors. By structure: each path through the factors contains a zero. By value: the entry of the
product is below the threshold. Shuffled is the null model: zeros by structure if each start step is followed by other
steps of its episode in random order. A line leaves the panel at the top where products have more zeros than their first
factors, because values fade. Bands are intervals from resampling episodes within study seeds. A dashed line marks one
half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style

_COLUMNS = 4
_COLOURS = {"structure": style.BLUE, "value": style.VERMILION, "shuffled": style.GREY}
_LINES = {"structure": "-", "value": "--", "shuffled": ":"}
_TOP = 1.06
_GAP = 0.1
"""Smallest distance between two labels, as a share of the axis."""


def draw(stores: Sequence[xr.Dataset], *, log_steps: bool) -> Figure:
    """A panel per task with three lines, from the horizon stores of all tasks and policies."""
    first = {store.attrs["task"]: store for store in reversed(stores)}
    tasks = list(dict.fromkeys(store.attrs["task"] for store in stores))
    columns = min(_COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(max(4.0, 0.6 + 2.5 * columns), 1.0 + 2.1 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, task in zip(grid.flat, tasks, strict=False):
        _panel(axes, first[task], log_steps=log_steps)
    for axes in list(grid.flat)[len(tasks) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("zeros left")
    figure.supxlabel(f"horizon k, control steps; zero: below {stores[0].attrs['threshold']:g}", fontsize="medium")
    figure.suptitle("Zeros left in products of the Jacobians of k consecutive steps", x=0.01, ha="left")
    return figure


def _panel(axes: Axes, data: xr.Dataset, *, log_steps: bool) -> None:
    axes.set_title(f"{data.attrs['task']}, {data.attrs['policy']}", fontsize="medium")
    longest = data.sizes["step"]
    axes.set_xlim(0.95, longest + 0.05)
    if log_steps:
        axes.set_xscale("log")
        style.plain_log_ticks(axes.xaxis)
    axes.set_ylim(-0.04, _TOP)
    if not data.first_share > 0:
        axes.text(0.5, 0.5, "no zeros", transform=axes.transAxes, ha="center", color=style.GREY)
        return
    axes.axhline(0.5, color=style.GREY, linestyle="--", linewidth=0.6)
    for name, line in _LINES.items():
        curve = data.sel(zeros_by=name)
        axes.plot(data.step, curve.left, line, color=_COLOURS[name], linewidth=1.4)
        axes.fill_between(data.step, curve.left_low, curve.left_high, color=_COLOURS[name], alpha=0.15, linewidth=0)
    _label_ends(axes, data)


def _label_ends(axes: Axes, data: xr.Dataset) -> None:
    """Names at the right ends of the lines, moved apart where they would overlap, and not above the axes."""
    ends = {name: float(data.left.sel(zeros_by=name).isel(step=-1).fillna(0.0)) for name in reversed(_LINES)}
    names = sorted(ends, key=lambda name: ends[name])
    highest = 1 - _GAP * np.arange(len(names))[::-1]
    height = -np.inf
    for name, limit in zip(names, highest, strict=True):
        height = min(max(ends[name], height + _GAP), limit)
        axes.annotate(
            name,
            (1.02, height),
            xycoords=axes.get_yaxis_transform(),
            color=_COLOURS[name],
            fontsize="small",
            va="center",
            annotation_clip=False,
        )
