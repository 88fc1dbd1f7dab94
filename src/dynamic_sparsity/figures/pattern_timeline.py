"""Which pattern holds when, with constraint events under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import PatternTimelineFigure

_OTHERS = "rarer"


def draw(stores: Sequence[xr.Dataset], settings: PatternTimelineFigure) -> Figure:
    """Two panels from one pattern store."""
    data = stores[0].isel(seed=0, episode=settings.episode)
    chosen = style.window(settings.first_step, settings.steps, int(data.length))
    data = data.isel(time=chosen)
    steps = np.arange(chosen.start, chosen.stop)
    figure = Figure(figsize=(7.4, 4.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _patterns(above, steps, data, min(settings.patterns, data.sizes["pattern"]))
    _events(below, steps, data)
    below.set_xlabel(f"control step ({data.attrs['control_timestep']:g} s each)")
    below.set_xlim(steps[0], steps[-1] + 1)
    style.title(figure, f"patterns, first seed, episode {settings.episode}", data.attrs)
    return figure


def _patterns(axes: Axes, steps: np.ndarray, data: xr.Dataset, named: int) -> None:
    number = data.pattern_id.values
    row = np.where(number < named, number, named).astype(float)
    row[number < 0] = np.nan  # a step with a non-finite entry has no pattern
    axes.plot(np.append(steps, steps[-1] + 1), np.append(row, row[-1]), drawstyle="steps-post", color="0.8", linewidth=0.6)
    axes.hlines(row, steps, steps + 1, color=style.BLUE, linewidth=3)
    zeros = data.pattern_zero.sum(("out_dim", "in_dim")).values
    names = [f"{i} ({zeros[i]} zeros)" for i in range(named)]
    if data.sizes["pattern"] > named:
        names.append(_OTHERS)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_ylabel("pattern")


def _events(axes: Axes, steps: np.ndarray, data: xr.Dataset) -> None:
    rows = {"switch": (data.switch.values, style.BLUE)}
    kinds = (("contact", style.VERMILION), ("joint_limit", style.ORANGE), ("tendon_limit", style.GREEN))
    for kind, colour in (*kinds, ("loaded", style.GREY)):
        rows[kind.replace("_", " ")] = (data.event.sel(event_kind=kind).values, colour)
    for number, (happens, colour) in enumerate(rows.values()):
        axes.vlines(steps[happens], number - 0.35, number + 0.35, color=colour, linewidth=1.2)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_ylabel("event")
