"""Figure 6 of the paper: sparsity along one episode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import SparsityOverTimeFigure


def draw(stores: Sequence[xr.Dataset], settings: SparsityOverTimeFigure) -> Figure:
    """Two lines over time, from the first seed's sparsity store."""
    data = stores[0].isel(episode=settings.episode)
    chosen = style.window(settings.first_step, settings.steps, int(data.length))
    edges = np.arange(chosen.start, chosen.stop + 1)  # a step lasts from its edge to the next
    figure = Figure(figsize=(7.2, 2.8))
    axes = figure.add_subplot()
    loaded = _to_edges(data.constraint_loaded[chosen].any("constraint").values)
    axes.fill_between(edges, 0, loaded, step="post", color="0.88", linewidth=0, label="constraint loaded")
    for block in ("J_s", "J_a"):
        values = data.sparsity.sel(threshold=data.attrs["threshold"], block=block)[chosen]
        axes.plot(
            edges,
            _to_edges(values.values),
            style.BLOCK_LINES[block],
            drawstyle="steps-post",
            color=style.BLOCK_COLOURS[block],
            linewidth=1,
            label=style.BLOCK_NAMES[block],
        )
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(f"control step ({data.attrs['control_timestep']:g} s each)")
    axes.set_ylabel("sparsity")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    style.title(figure, f"sparsity over time, seed {data.attrs['seed']}, episode {settings.episode}", data.attrs)
    return figure


def _to_edges(values: np.ndarray) -> np.ndarray:
    """Repeat the last value, so that it is drawn up to its end."""
    return np.append(values, values[-1:]).astype(float)
