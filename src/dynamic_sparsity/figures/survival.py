"""Survival curves: the probability that an entry keeps its state for longer than t steps.

Kaplan-Meier estimates of how long an entry stays zero (or non-zero) once it has become so. Runs that the end of an
episode cuts are censored; brackets count the runs that ended. Bands come from resampling episodes within study seeds.
Thin dotted lines follow the paper's convention, which counts cut runs as if they had ended and leaves out runs that
span a whole episode.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, log_time: bool) -> Figure:
    """Survival curves of zero and non-zero entries with bands, from one survival store."""
    data = stores[0]
    figure = Figure(figsize=(5.2, 3.4))
    axes = figure.add_subplot()
    time = np.concatenate([[0 if not log_time else 0.9], data.duration.values])
    for value, line in (("zero", "-"), ("non-zero", "--")):
        curve = data.sel(value=value)
        colour = style.VALUE_COLOURS[value]
        if curve.survival.isnull().all():
            axes.plot([], [], line, color=colour, label=f"{value}: never switched to")
            continue
        axes.step(
            time,
            _from_one(curve.survival),
            line,
            where="post",
            color=colour,
            label=f"stays {value} ({int(curve.ended_runs)} runs ended)",
        )
        low, high = _from_one(curve.survival_low), _from_one(curve.survival_high)
        axes.fill_between(time, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
        axes.step(time, _from_one(_paper(curve.paper_count)), ":", where="post", color=colour, linewidth=0.8)
    if data.survival.notnull().any():
        axes.plot([], [], ":", color=style.GREY, linewidth=0.8, label="paper's convention")
    if log_time:
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
