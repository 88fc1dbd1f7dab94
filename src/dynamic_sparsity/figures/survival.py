"""Survival curves of durations: how likely an entry is to stay as it is for longer than t steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import SurvivalFigure


def draw(stores: Sequence[xr.Dataset], settings: SurvivalFigure) -> Figure:
    """Two curves with bands, from one survival store."""
    data = stores[0]
    figure = Figure(figsize=(5.2, 3.4))
    axes = figure.add_subplot()
    time = np.concatenate([[0 if not settings.log_time else 0.9], data.duration.values])
    for value, line in (("zero", "-"), ("non-zero", "--")):
        here = data.sel(value=value)
        colour = style.VALUE_COLOURS[value]
        if here.survival.isnull().all():
            axes.plot([], [], line, color=colour, label=f"{value}: never switched to")
            continue
        axes.step(
            time,
            _from_one(here.survival),
            line,
            where="post",
            color=colour,
            label=f"stays {value} ({int(here.ended_runs)} runs ended)",
        )
        low, high = _from_one(here.survival_low), _from_one(here.survival_high)
        axes.fill_between(time, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
        axes.step(time, _from_one(_paper(here.paper_count)), ":", where="post", color=colour, linewidth=0.8)
    if data.survival.notnull().any():
        axes.plot([], [], ":", color=style.GREY, linewidth=0.8, label="paper's convention")
    if settings.log_time:
        axes.set_xscale("log")
    axes.set_xlim(time[0], data.sizes["duration"])
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(f"duration t, control steps ({data.attrs['control_timestep']:g} s each)")
    axes.set_ylabel("P(duration > t)")
    axes.legend()
    style.title(figure, "survival of zeros", data.attrs)
    return figure


def _from_one(curve: xr.DataArray) -> np.ndarray:
    return np.concatenate([[1.0], curve.values])


def _paper(count: xr.DataArray) -> xr.DataArray:
    return 1 - count.cumsum("duration") / count.sum("duration")
