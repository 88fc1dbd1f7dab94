"""Null models of zeros in time: effect sizes of every task under every policy.

Each panel is one null model; its vertical line is the effect size that the null model expects. Bars are intervals from
resampling episodes within study seeds; pale bars are intervals of the effect size under the null model. Panels: switches
of the pattern over those of shuffled steps (below 1: patterns persist); variance of durations over that of a memoryless
chain (above 1: too variable, below 1: too regular); correlation of the switches of two entries (1: all
switch together); agreement with another episode at the same phase, corrected for chance (without a period not tested).
Crosses mark what the data cannot tell. The threshold, the method and the number of control steps are those of the study.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style

_LABELS = {
    "shuffled times": "switches / switches\nof shuffled steps",
    "memoryless durations": "variance of durations /\nthat of a memoryless chain",
    "shifted entries": "correlation of switches\nof two entries",
    "equal phase": "agreement at equal phase\n(0: chance)",
}


def draw(stores: Sequence[xr.Dataset], *, null_intervals: bool) -> Figure:
    """A panel per null model with a row per task, from the clustering stores of all tasks and policies."""
    runs = {(data.attrs["task"], data.attrs["policy"]): data for data in stores}
    tasks, policies = (list(dict.fromkeys(run[place] for run in runs)) for place in (0, 1))
    figure = Figure(figsize=(2.2 + 2.0 * len(_LABELS), 1.6 + 0.42 * len(tasks)))
    panels = figure.subplots(1, len(_LABELS), sharey=True)
    for axes, (name, label) in zip(panels, _LABELS.items(), strict=True):
        for number, policy in enumerate(policies):
            offset = 0.24 * (number - (len(policies) - 1) / 2)
            rows = {row + offset: runs[task, policy] for row, task in enumerate(tasks) if (task, policy) in runs}
            _draw_policy(axes, policy, {height: data.sel(null_model=name) for height, data in rows.items()}, null_intervals)
        axes.axvline(float(name in ("shuffled times", "memoryless durations")), color="black", linewidth=0.8, zorder=0)
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(np.arange(len(tasks)), tasks)
    panels[0].set_ylim(len(tasks) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(policies))
    first = stores[0].attrs
    figure.suptitle(
        f"Zeros in time against null models (threshold {first['threshold']:g}, method {first['method']})", x=0.01, ha="left"
    )
    return figure


def _draw_policy(axes: Axes, policy: str, rows: dict[float, xr.Dataset], null_intervals: bool) -> None:
    values = np.array([[data[name].item() for name in ("effect", "low", "high")] for data in rows.values()])
    nulls = np.array([[data[name].item() for name in ("null_low", "null_high")] for data in rows.values()])
    heights = np.array(list(rows))
    known = ~np.isnan(values[:, 0])
    effect, low, high = values[known].T
    reach = np.nan_to_num(np.clip([effect - low, high - effect], 0, None))
    colour, marker = style.of_policy(policy), style.POLICY_MARKERS.get(policy, "^")
    if null_intervals:
        axes.hlines(heights[known], *nulls[known].T, color=style.GREY, alpha=0.35, linewidth=4)
    look: dict[str, Any] = {"linestyle": "", "capsize": 2, "markersize": 3.5, "color": colour, "marker": marker}
    axes.errorbar(effect, heights[known], xerr=reach, label=policy, **look)
    at = axes.get_yaxis_transform()
    axes.plot(np.full((~known).sum(), 0.03), heights[~known], "x", color=colour, markersize=4, transform=at)
