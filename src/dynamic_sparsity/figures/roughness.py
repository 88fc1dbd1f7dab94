"""How many steps have no usable derivative: central differences of two widths.

Central differences of widths 1e-6 and 1e-5 of the same step are compared. Each line gives the share of steps at which
they differ by at least as much as the horizontal axis says, relative to the largest entry. Steps right of the dashed
line (0.1 %) are rough: a contact closes, a limit is reached or the constraint solver takes another path within 1e-5 of
them, so no derivative describes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.ablation import REFERENCE, ROUGH

_COLUMNS = 4


def draw(stores: Sequence[xr.Dataset], *, smallest: float) -> Figure:
    """A panel per task and a line per policy, from the ablation stores: the share of steps at least as rough."""
    tasks = list(dict.fromkeys(store.attrs["task"] for store in stores))
    columns = min(_COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(max(5.5, 0.6 + 2.9 * columns), 1.3 + 2.4 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, task in zip(grid.flat, tasks, strict=False):
        for store in (store for store in stores if store.attrs["task"] == task):
            roughness = store.roughness.values[np.isfinite(store.roughness.values)]
            share = float(store.rough.isel(pair=int(np.flatnonzero(store.reference.values == REFERENCE)[0])))
            policy = store.attrs["policy"]
            ordered = np.maximum(np.sort(roughness), smallest)
            label = f"{policy}: {share:.0%} rough"
            at_least = 1 - np.arange(len(roughness)) / max(1, len(roughness))
            axes.step(ordered, at_least, where="pre", color=style.of_policy(policy), label=label)
        axes.axvline(ROUGH, color=style.GREY, linestyle="--", linewidth=1)
        axes.set_title(task)
        axes.legend(fontsize="small", loc="upper right", handlelength=1.2)
    for axes in list(grid.flat)[len(tasks) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("share of steps\nat least as rough")
    grid[0, 0].set_xscale("log")
    grid[0, 0].set_ylim(0, 1.03)
    figure.supxlabel(
        "|differences of width 1e-6 minus those of 1e-5| / largest |entry|\nrough: right of the dashed line",
        fontsize="medium",
    )
    figure.suptitle("How many steps have no derivative to speak of", x=0.01, ha="left")
    return figure
