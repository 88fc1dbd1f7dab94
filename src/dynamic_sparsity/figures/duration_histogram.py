"""Figure 7 of the paper: log-log histograms of how long entries stay zero and non-zero.

Histograms of the number of consecutive steps for which an entry stays zero (left) and non-zero (right), over all
entries, episodes and study seeds. The count in a bin is divided by the number of whole durations that the bin covers.
Dashed lines mark the means. As in the paper, runs that span a whole episode are left out, and runs that an episode's
start or end cuts count at the length that was seen. The survival curves censor runs cut at their end, and leave out
runs whose start was not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, bins_per_decade: int) -> Figure:
    """Two panels, zero and non-zero, from one survival store."""
    data = stores[0]
    longest = data.sizes["duration"]
    edges = _integer_edges(longest, bins_per_decade)
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
        binned, _ = np.histogram(data.duration, bins=edges, weights=counts)
        axes.stairs(binned / np.diff(edges), edges - 0.5, fill=True, color=style.VALUE_COLOURS[value])
        mean = data.paper_mean.sel(value=value).item()
        axes.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.1f}")
        axes.legend(loc="best")
    panels[0].set_xlim(0.5, longest + 0.5)
    panels[0].set_ylabel("runs per step of duration")
    style.title(figure, "durations, whole-episode runs left out", data.attrs)
    return figure


def _integer_edges(longest: int, per_decade: int) -> np.ndarray:
    """Edges of logarithmic bins of whole durations; the last edge is above `longest`.

    Bins hold different numbers of durations, so counts must be divided by that number. Otherwise the bin of 6 alone
    would look like a gap next to the bin of 4 and 5.
    """
    decades = int(np.ceil(np.log10(longest + 1)))
    edges = np.unique(np.round(np.logspace(0, decades, decades * per_decade + 1)))
    return np.append(edges[edges <= longest], longest + 1)
