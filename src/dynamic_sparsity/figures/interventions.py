"""Zeros that act when their input is moved.

Each panel is a task under a policy. A line gives the share of the zero entries whose output changes beyond rounding
when their input is moved, by the size of the move in standard deviations of the input over the recorded steps (sizes
are drawn at equal distances); either direction counts. Solid lines and circles are steps without an active constraint,
dashed lines and squares are steps with an active contact, dotted lines and triangles are steps with an active joint or
tendon limit; a step may be both. The number in brackets is the number of such steps. Bars are intervals from resampling
episodes within study seeds. A move of 1e-6 is the reference: only at a kink can a zero act there. A panel without a
line has no zero entry, or none in such steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style

_COLUMNS = 4
_LINES = {
    "free": ("free", style.BLUE, "-", "o"),
    "contact": ("in contact", style.VERMILION, "--", "s"),
    "limit": ("at a limit", style.GREEN, ":", "^"),
}
_NEAREST = 0.09
"""Smallest distance of two names, as a share of the vertical axis."""


def draw(stores: Sequence[xr.Dataset], *, limits: bool) -> Figure:
    """A panel per intervention store, and in it a line per condition of the step."""
    columns = min(_COLUMNS, len(stores))
    rows = -(-len(stores) // columns)
    figure = Figure(figsize=(0.6 + 2.7 * columns, 1.0 + 2.2 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    conditions = [name for name in _LINES if limits or name != "limit"]
    for axes in list(grid.flat)[len(stores) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("zeros that act, %")
    sizes = sorted({float(size) for data in stores for size in data["size"].values})
    largest = max((np.nan_to_num(100 * data.acting_high).max(initial=0.0) for data in stores), default=0.0)
    grid[0, 0].set_ylim(-0.04 * max(largest, 1), 1.12 * max(largest, 1))
    grid[0, 0].set_xlim(-0.3, len(sizes) + 0.3)
    grid[0, 0].set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    for axes, data in zip(grid.flat, stores, strict=False):
        _draw_panel(axes, data, conditions, sizes)
    figure.supxlabel("move of the input, in its standard deviations", fontsize="medium")
    return figure


def _draw_panel(axes: Axes, data: xr.Dataset, conditions: Sequence[str], sizes: Sequence[float]) -> None:
    """The lines of one store and their names, at the places of its sizes among `sizes`."""
    names = []
    places = [sizes.index(size) for size in data["size"].values.tolist()]
    for condition in conditions:
        label, colour, line, marker = _LINES[condition]
        chosen = data.sel(condition=condition)
        middle, low, high = (100 * chosen[f"acting{end}"].values for end in ("", "_low", "_high"))
        if np.isnan(middle).all():
            continue
        reach = np.nan_to_num(np.abs(np.stack([middle - low, high - middle])))
        axes.errorbar(places, middle, yerr=reach, color=colour, linestyle=line, marker=marker, markersize=3.5, capsize=2)
        names.append((middle[np.flatnonzero(~np.isnan(middle))[-1]], f"{label} ({int(chosen.condition_steps)})", colour))
    if not names:
        axes.text(0.5, 0.5, "no zero entries", transform=axes.transAxes, ha="center", color=style.GREY)
    heights = _apart([end for end, *_ in sorted(names)], axes.get_ylim()[1])
    for height, (_, label, colour) in zip(heights, sorted(names), strict=True):
        axes.text(places[-1] + 0.15, height, label, color=colour, va="center", fontsize="x-small")
    axes.set_title(f"{data.attrs['task']}, {data.attrs['policy']}: {int(data.steps)} steps", fontsize="small")


def _apart(places: Sequence[float], top: float) -> list[float]:
    """Ascending places on an axis that ends at `top`, moved up until no two are too near to print names at."""
    result: list[float] = []
    for place in places:
        result.append(max(place, result[-1] + top * _NEAREST) if result else place)
    excess = max(0.0, result[-1] - top) if result else 0.0
    return [place - excess for place in result]
