"""Ways to differentiate a step, next to central differences of the same step.

A sample of the recorded steps is differentiated in several ways and compared with central differences of MJX's step in
float64 (differences). Left: mean sparsity against the threshold below which an entry counts as zero. Middle: the share
of smooth steps whose zeros equal those of the differences, with intervals from resampling episodes within study seeds.
Rounding errors of differences are about 1e-9, so no method can agree with them at thresholds below 1e-8. Right: the
error of an entry over the largest entry of its step; brackets give the share of smooth steps in which the largest error
exceeds 1 %. This figure tests the method; the paper has no such figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.ablation import REFERENCE

_METHOD_COLOURS = {
    "exact": style.GREEN,
    "unrolled": style.GREY,
    "implicit": style.BLUE,
    "finite": style.VERMILION,
    "differences": "black",
}


def draw(stores: Sequence[xr.Dataset], *, smallest_error: float) -> Figure:
    """Three panels for each ablation store (task and policy): sparsity, steps with the same zeros, errors."""
    pairs = max((int((store.reference == REFERENCE).sum()) for store in stores), default=1)
    figure = Figure(figsize=(10.5, 0.8 + max(2.0, 0.28 * pairs) * len(stores)))
    grid = figure.subplots(len(stores), 3, squeeze=False, gridspec_kw={"width_ratios": [1, 1, 1.3]})
    for row, (data, (sparsity, same_zeros, errors)) in enumerate(zip(stores, grid, strict=True)):
        truth = _against(data, REFERENCE)
        _draw_sparsity(sparsity, truth)
        _draw_same_pattern(same_zeros, truth)
        _draw_errors(errors, truth, smallest_error)
        sparsity.set_ylabel(f"{data.attrs['task']}, {data.attrs['policy']}\nmean sparsity of $[J_s\\ J_a]$")
        same_zeros.set_ylabel("smooth steps with\nthe same zeros")
        last = row == len(stores) - 1
        for axes in (sparsity, same_zeros):
            axes.set_xscale("log")
            axes.set_ylim(-0.03, 1.03)
            axes.set_xlabel("threshold on |entry|" if last else "")
        errors.set_xlabel("|error| / largest |entry|, smooth steps:\n• median and | 99th percentile" if last else "")
    figure.legend(*_legend(grid), loc="outside lower center", ncols=5)
    figure.suptitle("Ways to differentiate a step, beside central differences of the same step", x=0.01, ha="left")
    return figure


def _line_style(way: str) -> dict[str, Any]:
    """Line style of a variant: the colour stands for the method, dashes for the solver, dots for the precision."""
    line = "--" if "-converged" in way else ":" if "-float32" in way else "-"
    return {"color": _METHOD_COLOURS[way.partition("-")[0]], "linestyle": line, "marker": "o", "markersize": 2.5}


def _against(data: xr.Dataset, reference: str) -> xr.Dataset:
    return data.isel(pair=[number for number, name in enumerate(data.reference.values) if str(name) == reference])


def _draw_sparsity(axes: Axes, truth: xr.Dataset) -> None:
    axes.plot(truth.threshold, truth.reference_sparsity.isel(pair=0), label=REFERENCE, **_line_style(REFERENCE))
    for way, result in _ways(truth):
        axes.plot(truth.threshold, result.sparsity, label=way, **_line_style(way))


def _draw_same_pattern(axes: Axes, truth: xr.Dataset) -> None:
    for way, result in _ways(truth):
        line = _line_style(way)
        axes.plot(truth.threshold, result.same_pattern, label=way, **line)
        axes.fill_between(
            truth.threshold, result.same_pattern_low, result.same_pattern_high, color=line["color"], alpha=0.12, lw=0
        )


def _draw_errors(axes: Axes, data: xr.Dataset, smallest: float) -> None:
    for height in range(data.sizes["pair"]):
        result = data.isel(pair=height)
        colour = _line_style(str(result.way.item()))["color"]
        middle, high = (max(smallest, float(result[name])) for name in ("error_median", "error_99"))
        axes.plot([middle, high], [height, height], color=colour, linewidth=1)
        axes.plot([middle], [height], "o", color=colour, markersize=4)
        axes.plot([high], [height], "|", color=colour, markersize=9)
    names = [f"{way} ({share:.0%} off by 1 %)" for way, share in zip(data.way.values, data.off_1.values, strict=True)]
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlim(smallest / 3, None)
    axes.grid(axis="x", alpha=0.3)


def _ways(data: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    return [(str(data.way.values[number]), data.isel(pair=number)) for number in range(data.sizes["pair"])]


def _legend(grid: np.ndarray) -> tuple[list[Any], list[Any]]:
    handles = {}
    for axes in grid[:, 0]:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(handles.values()), list(handles)
