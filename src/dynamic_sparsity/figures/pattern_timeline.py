"""Patterns along one episode, above the constraint events.

Top: the pattern (the zero mask of a whole step) along one episode of the first study seed. Patterns are numbered by how
often they occur in all data, and the number of their zeros is given next to them; rarer ones share the last row.
Bottom: steps at which the pattern switches, steps at which a constraint becomes active or inactive, by kind, and steps
at which a constraint starts or stops carrying a force (loaded).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style

_OTHERS = "rarer"


def draw(stores: Sequence[xr.Dataset], *, episode: int, first_step: int, steps: int, patterns: int) -> Figure:
    """Two panels, patterns and events, from one pattern store."""
    data = stores[0].isel(seed=0, episode=episode)
    window = style.window(first_step, steps, int(data.length))
    data = data.isel(time=window)
    time = np.arange(window.start, window.stop)
    figure = Figure(figsize=(7.4, 4.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _patterns(above, time, data, min(patterns, data.sizes["pattern"]))
    _events(below, time, data)
    below.set_xlabel(f"control step ({data.attrs['control_timestep']:g} s each)")
    below.set_xlim(time[0], time[-1] + 1)
    style.title(figure, f"patterns, first seed, episode {episode}", data.attrs)
    return figure


def _patterns(axes: Axes, time: np.ndarray, data: xr.Dataset, named: int) -> None:
    number = data.pattern_id.values
    row = np.where(number < named, number, named).astype(float)
    row[number < 0] = np.nan  # a step with a non-finite entry has no pattern
    axes.plot(np.append(time, time[-1] + 1), np.append(row, row[-1]), drawstyle="steps-post", color="0.8", linewidth=0.6)
    axes.hlines(row, time, time + 1, color=style.BLUE, linewidth=3)
    zeros = data.pattern_zero.sum(("out_dim", "in_dim")).values
    names = [f"{i} ({zeros[i]} zeros)" for i in range(named)]
    if data.sizes["pattern"] > named:
        names.append(_OTHERS)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_ylabel("pattern")


def _events(axes: Axes, time: np.ndarray, data: xr.Dataset) -> None:
    rows = {"switch": (data.switch.values, style.BLUE)}
    kinds = (("contact", style.VERMILION), ("joint_limit", style.ORANGE), ("tendon_limit", style.GREEN))
    for kind, colour in (*kinds, ("loaded", style.GREY)):
        rows[kind.replace("_", " ")] = (data.event.sel(event_kind=kind).values, colour)
    for number, (happens, colour) in enumerate(rows.values()):
        axes.vlines(time[happens], number - 0.35, number + 0.35, color=colour, linewidth=1.2)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_ylabel("event")
