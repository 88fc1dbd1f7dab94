"""Figure 5 of the paper: histogram of the sparsity of single steps.

Sparsity (zeros / entries) of each step, for the state block J_s and the action block J_a, over all episodes and study
seeds. Dashed lines mark the means. Mass in several bins means that sparsity depends on the state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, bin_width: float) -> Figure:
    """Two panels, J_s and J_a, from the sparsity stores of all study seeds."""
    threshold = stores[0].attrs["threshold"]
    bins = np.linspace(0, 1, round(1 / bin_width) + 1)
    figure = Figure(figsize=(6.4, 2.8))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, block in zip(panels, ("J_s", "J_a"), strict=True):
        values = np.concatenate([data.sparsity.sel(threshold=threshold, block=block).values.ravel() for data in stores])
        values = values[np.isfinite(values)]
        if not len(values):
            axes.text(0.5, 0.5, "no finite step", ha="center", transform=axes.transAxes)
            continue
        # A value on an edge belongs to the bin above it. Add a little, in case its division was rounded down.
        weights = np.full(len(values), 100 / len(values))
        axes.hist(np.minimum(values + 1e-9, 1.0), bins=bins, weights=weights, color=style.BLOCK_COLOURS[block])
        mean = values.mean()
        axes.axvline(mean, color="black", linestyle="--", linewidth=1, clip_on=False, label=f"mean {mean:.3f}")
        axes.legend(loc="upper right" if mean < 0.5 else "upper left")
        axes.set_xlabel(f"sparsity of {style.BLOCK_NAMES[block]} at one step")
    panels[0].set_ylabel("steps, %")
    panels[0].set_xlim(0, 1)
    style.title(figure, "sparsity of single steps", stores[0].attrs)
    return figure
