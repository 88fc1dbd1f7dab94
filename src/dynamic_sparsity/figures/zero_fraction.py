"""Figure 3 of the paper: share of steps at which each entry of the Jacobian is zero.

Percentages are over all episodes and study seeds. Rows are next-state variables; columns are current state variables
and, right of the white line, controls. Outlined entries are zero in every step (globally zero). Entries between 0 and
100 depend on the state.
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, annotate_up_to: int) -> Figure:
    """A heat map from one summary store, with percentages in the cells if there is room for them."""
    data = stores[0].sel(threshold=stores[0].attrs["threshold"])
    percent = 100 * data.zero_fraction
    rows, columns = percent.shape
    cell = 0.42 if max(rows, columns) <= annotate_up_to else 0.24 if columns <= 40 else 0.16
    figure = Figure(figsize=(2.6 + cell * columns, 1.9 + cell * rows))
    axes = figure.add_subplot()
    colours = colormaps[style.SEQUENTIAL].with_extremes(bad="0.85")  # grey: never finite
    image = axes.imshow(percent, vmin=0, vmax=100, cmap=colours, aspect="equal")
    _label(axes, percent, small=columns > 40)
    _outline(axes, data.always_zero)
    if max(rows, columns) <= annotate_up_to:
        _annotate(axes, percent)
    axes.axvline(rows - 0.5, color="white", linewidth=2)
    figure.colorbar(image, ax=axes, label="zero, % of steps", shrink=0.8)
    style.title(figure, "share of steps at which an entry is zero; outlined: always", data.attrs)
    return figure


def _label(axes: Axes, percent: xr.DataArray, *, small: bool) -> None:
    size = 5 if small else None
    axes.set_xticks(range(percent.sizes["in_dim"]), percent.in_dim.values, rotation=90, fontsize=size)
    axes.set_yticks(range(percent.sizes["out_dim"]), percent.out_dim.values, fontsize=size)
    axes.set_xlabel("current state and control")
    axes.set_ylabel("next state")
    axes.spines[:].set_visible(False)


def _annotate(axes: Axes, percent: xr.DataArray) -> None:
    for row, values in enumerate(percent.values):
        for column, value in enumerate(values):
            colour = "white" if value <= 55 else "black"
            axes.text(column, row, _digits(value), ha="center", va="center", color=colour, fontsize=7)


def _digits(percent: float) -> str:
    """The percentage as a whole number; 0 and 100 stand for exact values only, a dash for no finite sample."""
    if percent != percent:
        return "–"
    if 0 < percent < 0.5:
        return "<1"
    return ">99" if 99.5 <= percent < 100 else f"{percent:.0f}"


def _outline(axes: Axes, always: xr.DataArray) -> None:
    for row, column in zip(*always.values.nonzero(), strict=True):
        axes.add_patch(
            Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, edgecolor=style.VERMILION, linewidth=1.2)
        )
