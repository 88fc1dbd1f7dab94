"""Figure 6 of the paper: sparsity along one episode.

Sparsity (zeros / entries) of J_s and J_a along one episode of the first study seed. Grey marks steps at which at least
one constraint (contact, joint limit, tendon limit) carries a force.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, episode: int, first_step: int, steps: int) -> Figure:
    """Two lines over time, from the sparsity store of the first study seed."""
    data = stores[0].isel(episode=episode)
    window = style.window(first_step, steps, int(data.length))
    edges = np.arange(window.start, window.stop + 1)  # a step lasts from one edge to the next
    figure = Figure(figsize=(7.2, 2.8))
    axes = figure.add_subplot()
    loaded = _to_edges(data.constraint_loaded[window].any("constraint").values)
    axes.fill_between(edges, 0, loaded, step="post", color="0.88", linewidth=0, label="constraint loaded")
    for block in ("J_s", "J_a"):
        values = data.sparsity.sel(threshold=data.attrs["threshold"], block=block)[window]
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
    style.title(figure, f"sparsity over time, seed {data.attrs['seed']}, episode {episode}", data.attrs)
    return figure


def _to_edges(values: np.ndarray) -> np.ndarray:
    """The values with the last one repeated, so that the last step is drawn to its end."""
    return np.append(values, values[-1:]).astype(float)
