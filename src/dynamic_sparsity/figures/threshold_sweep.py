"""Mean sparsity and globally zero entries against the threshold below which an entry counts as zero."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import ThresholdSweepFigure


def draw(stores: Sequence[xr.Dataset], settings: ThresholdSweepFigure) -> Figure:
    """Two panels from one summary store."""
    data = stores[0]
    figure = Figure(figsize=(7.2, 3.0))
    left, right = figure.subplots(1, 2, sharex=True)
    for block in ("J_s", "J_a"):
        here = data.sel(block=block)
        look = {"color": style.BLOCK_COLOURS[block], "linestyle": style.BLOCK_LINES[block]}
        name = style.BLOCK_NAMES[block]
        left.plot(data.threshold, here.mean_sparsity, marker="o", markersize=3, label=name, **look)
        left.fill_between(
            data.threshold, here.mean_sparsity_low, here.mean_sparsity_high, color=look["color"], alpha=0.2, linewidth=0
        )
        right.plot(data.threshold, here.global_zeros / here.entries, marker="o", markersize=3, label=name, **look)
    for axes, what in ((left, "mean sparsity"), (right, "globally zero, share of entries")):
        axes.set_xscale("log")
        axes.axvline(data.attrs["threshold"], color="black", linestyle=":", linewidth=1, label="the study's threshold")
        axes.set_xlabel("threshold on |entry|")
        axes.set_ylabel(what)
        axes.set_ylim(-0.02, 1.02)
    if settings.logit:
        left.set_ylim(1e-4, 1 - 1e-4)
        left.set_yscale("logit")
    left.legend()
    style.title(figure, "threshold sweep", data.attrs)
    return figure
