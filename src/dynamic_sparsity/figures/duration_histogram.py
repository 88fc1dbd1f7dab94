"""Figure 7 of the paper: log-log histograms of how long entries stay zero and non-zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings import DurationHistogramFigure


def draw(stores: Sequence[xr.Dataset], settings: DurationHistogramFigure) -> Figure:
    """Two panels from one survival store."""
    data = stores[0]
    longest = data.sizes["duration"]
    decades = np.log10(longest) + 1e-9
    edges = np.unique(np.round(10 ** np.arange(0, decades + 1 / settings.bins_per_decade, 1 / settings.bins_per_decade)))
    edges = np.append(edges[edges <= longest], longest + 1) if edges[-1] <= longest else edges
    figure = Figure(figsize=(6.8, 2.9))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, value in zip(panels, ("zero", "non-zero"), strict=True):
        counts = data.paper_count.sel(value=value)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(f"consecutive steps {value}")
        if not counts.sum():
            axes.text(0.5, 0.5, "no entry switches", ha="center", va="center", transform=axes.transAxes)
            continue
        axes.hist(data.duration.values, bins=np.unique(edges), weights=counts.values, color=style.VALUE_COLOURS[value])
        mean = data.paper_mean.sel(value=value).item()
        axes.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.1f}")
        axes.legend(loc="upper right")
    panels[0].set_xlim(0.9, longest * 1.1)
    panels[0].set_ylabel("runs")
    style.title(figure, "durations, whole-episode runs left out", data.attrs)
    return figure
