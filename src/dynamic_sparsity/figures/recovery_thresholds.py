"""Recovery against the threshold below which an entry of a model's scaled Jacobian counts as zero.

Left: zeros of the model over true zeros. Right: F1 of the zeros; the dotted line is the F1 of calling every entry zero.
Lines are means over tasks, bands are their quartiles. Runs that are not trained (no better than predicting that nothing
changes) are left out; brackets after a name count them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.figures import style
from dynamic_sparsity.figures.recovery import names


def draw(stores: Sequence[xr.Dataset], *, smallest_sparsity: float) -> Figure:
    """Two panels from the recovery stores of all tasks: zeros over true zeros, and F1 of the zeros, by threshold."""
    figure = Figure(figsize=(13, 4))
    ratio, f1 = figure.subplots(1, 2)
    of_runs = {
        measure: [learnt.of_runs(store, measure).mean("training_seed") for store in stores]
        for measure in ("relative_sparsity_at", "zero_f1_at")
    }
    for number, (model, name) in enumerate(names(stores).items()):
        line = {"color": style.of_model(number), "label": name}
        _line(ratio, of_runs["relative_sparsity_at"], model, smallest_sparsity, **line)
        _line(f1, of_runs["zero_f1_at"], model, 0.0, **line)
    ratio.axhline(1, color=style.VERMILION, linewidth=1)
    style.log_scale(ratio.yaxis)
    ratio.set_ylabel(f"model's zeros / true zeros\n(at least {smallest_sparsity:g}; target 1)")
    shares = np.array([float(store.true_sparsity.mean()) for store in stores])
    f1.axhline((2 * shares / (1 + shares)).mean(), color=style.GREY, linestyle=":", linewidth=1, label="all entries zero")
    f1.set_ylim(-0.03, 1.03)
    f1.set_ylabel("F1 of zeros")
    for axes in (ratio, f1):
        style.log_scale(axes.xaxis)
        axes.set_xlabel("threshold on |entry|, scaled")
    figure.legend(*f1.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.suptitle("Recovery against the threshold: mean over tasks, and the quartiles", x=0.01, ha="left")
    return figure


def _line(axes: Axes, of_tasks: Sequence[xr.DataArray], model: str, smallest: float, *, color: str, label: str) -> None:
    values = np.array([of_task.sel(model=model).values for of_task in of_tasks])
    values = np.maximum(smallest, values[np.isfinite(values).all(axis=1)])  # NaN for a task without zeros or trained runs
    if not len(values):
        return
    low, high = np.quantile(values, [0.25, 0.75], axis=0)
    axes.fill_between(of_tasks[0].threshold, low, high, color=color, alpha=0.08, lw=0)
    axes.plot(of_tasks[0].threshold, values.mean(axis=0), color=color, marker="o", markersize=2.5, label=label)
