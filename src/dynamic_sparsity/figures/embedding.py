"""Figure 4 of the paper: t-SNE of transitions, coloured by sparsity, with rendered frames.

t-SNE of the transitions (s, a, s'), each variable standardised, coloured by the sparsity of [J_s J_a]. The line joins
consecutive steps of one episode: the stretch in which sparsity varies most. The frames show some of these steps, each
with its number and its sparsity. Neighbourhoods in such an embedding carry information; distances between far points do
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style


def draw(stores: Sequence[xr.Dataset], *, point_size: float) -> Figure:
    """The embedding above and the frames below, from an embedding store and a frame store."""
    by_kind = {data.attrs["kind"]: data for data in stores}
    data, frames = by_kind["embedding"], by_kind["frames"]
    count = frames.sizes["frame"]
    figure = Figure(figsize=(6.4, 4.6 if not count else 5.8))
    grid = figure.add_gridspec(2 if count else 1, max(count, 1), height_ratios=[4, 1] if count else [1])
    axes = figure.add_subplot(grid[0, :])
    dots: dict[str, Any] = {"cmap": style.SEQUENTIAL, "vmin": 0, "vmax": 1, "s": point_size, "linewidths": 0}
    points = axes.scatter(data.x, data.y, c=data.sparsity, **dots)
    figure.colorbar(points, ax=axes, label="sparsity of $[J_s\\ J_a]$")
    path = data.isel(point=np.flatnonzero(data.sequence >= 0)).sortby("sequence")
    axes.plot(path.x, path.y, color="black", linewidth=0.7, alpha=0.7, label=_sequence_label(path))
    letters: dict[str, Any] = {"xytext": (6, 6), "textcoords": "offset points", "color": style.VERMILION}
    for number in range(count):
        point = path.isel(point=int(np.flatnonzero(path.step == frames.step[number])[0]))
        axes.annotate(_letter(number), (point.x, point.y), fontweight="bold", **letters)
        image = figure.add_subplot(grid[1, number])
        image.imshow(frames.image[number])
        image.set_axis_off()
        image.set_title(f"{_letter(number)}  step {int(point.step)}\n{float(point.sparsity):.2f}", fontsize="small")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(loc="best")
    if not count:
        axes.set_xlabel("no frames: neither EGL nor OSMesa renders on the machine that made them")
    style.title(figure, f"t-SNE of (s, a, s'), perplexity {data.attrs['perplexity']:.3g}", data.attrs)
    return figure


def _sequence_label(path: xr.Dataset) -> str:
    first = path.isel(point=0)
    return f"{path.sizes['point']} consecutive steps (seed {int(first.seed)}, episode {int(first.episode)})"


def _letter(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number % 26] + (str(number // 26) if number >= 26 else "")
