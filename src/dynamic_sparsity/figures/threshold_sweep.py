"""Mean sparsity and globally zero entries against the threshold of zero.

Left: mean sparsity against the threshold below which an entry counts as zero, with intervals from resampling episodes
within study seeds. Right: entries that are zero in every step, as a share of all entries. The vertical line is the
study's threshold. Where the curves are flat around it, the choice of the threshold does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, logit: bool) -> Figure:
    """Two panels, mean sparsity and globally zero entries, from one summary store."""
    data = stores[0]
    figure = Figure(figsize=(7.2, 3.0))
    left, right = figure.subplots(1, 2, sharex=True)
    for block in ("J_s", "J_a"):
        of_block = data.sel(block=block)
        interval = of_block.mean_sparsity_low, of_block.mean_sparsity_high
        line = {"color": style.BLOCK_COLOURS[block], "linestyle": style.BLOCK_LINES[block]}
        name = style.BLOCK_NAMES[block]
        left.plot(data.threshold, of_block.mean_sparsity, marker="o", markersize=3, label=name, **line)
        left.fill_between(data.threshold, *interval, color=line["color"], alpha=0.2, linewidth=0)
        right.plot(data.threshold, of_block.global_zeros / of_block.entries, marker="o", markersize=3, label=name, **line)
    for axes, label in ((left, "mean sparsity"), (right, "globally zero, share of entries")):
        axes.set_xscale("log")
        axes.axvline(data.attrs["threshold"], color="black", linestyle=":", linewidth=1, label="the study's threshold")
        axes.set_xlabel("threshold on |entry|")
        axes.set_ylabel(label)
        axes.set_ylim(-0.02, 1.02)
    if logit:
        left.set_ylim(1e-4, 1 - 1e-4)
        left.set_yscale("logit")
    left.legend()
    style.title(figure, "threshold sweep", data.attrs)
    return figure
