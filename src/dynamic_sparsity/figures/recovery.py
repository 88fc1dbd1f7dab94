"""Figure 8 of the paper: zeros that world models recover, and recovery against prediction error.

World models are trained on the rollouts and scored on test episodes. Left: the error of the next state, divided by its
mean over the models of the task, pooled over tasks and training seeds. Middle: zeros of the model's Jacobian over true
zeros. Right: AUROC of non-zero against zero entries of the scaled Jacobian, against the error, a dot for each task and
model; lines are means of the controls. Errors are medians over test episodes. Runs that are not trained (no better than
predicting that nothing changes) are left out; brackets after a name count them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.figures import style

_MARKERS = "osD^vP*X<>hp"
_LINES = ((0, (1, 4)), "--", "-.", ":")


def draw(stores: Sequence[xr.Dataset], *, smallest_sparsity: float) -> Figure:
    """Three panels from the recovery stores of all tasks: errors, relative sparsity, and AUROC against error."""
    data = [store.sel(basis="scaled", condition="all") for store in stores]
    legend = names(stores)
    trained = list(legend)
    controls = [str(model) for model in data[0].model.values if str(model) not in trained and str(model) != "truth"]
    figure = Figure(figsize=(13, 1.4 + 0.3 * max(8, len(trained))))
    error, sparsity, scatter = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 1.4]})
    heights = range(len(trained))
    error.boxplot([_normalised(data, model, trained) for model in trained], orientation="horizontal", positions=heights)
    error.set_yticks(heights, trained)
    error.set_xlabel("error of the next state /\nmean over models of the task")
    _draw_sparsity(sparsity, data, trained, smallest_sparsity)
    for number, store in enumerate(data):
        _draw_task(scatter, store, legend, _MARKERS[number % len(_MARKERS)], named=not number)
    for control, line in zip(controls, _LINES, strict=False):
        mean = float(np.nanmean([store.auroc.sel(model=control) for store in data]))
        scatter.axhline(mean, color="black", linestyle=line, linewidth=0.8, label=f"{control}, mean over tasks")
    style.log_scale(scatter.xaxis)
    style.plain_log_ticks(scatter.xaxis)
    scatter.set_xlabel("error of the next state, standard deviations")
    scatter.set_ylabel("AUROC of non-zero against zero entries")
    scatter.axhline(0.5, color=style.GREY, linewidth=1, label="chance")
    figure.legend(*scatter.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    for axes in (error, sparsity):
        axes.set_ylim(len(trained) - 0.5, -0.5)
    figure.suptitle("Do world models recover the sparsity?", x=0.01, ha="left")
    return figure


def names(stores: Sequence[xr.Dataset]) -> dict[str, str]:
    """The trained models of the recovery stores, each with its name in legends.

    A name says in brackets how many of the model's runs are not trained, or worse than a linear fit, if any.
    """
    legend = {}
    for model in learnt.models(stores[0]):
        verdicts = [verdict for store in stores for verdict in learnt.of_task(store, model).values()]
        counts = {mark: verdicts.count(mark) for mark in (learnt.NOT_TRAINED, learnt.LINEAR_IS_BETTER) if mark in verdicts}
        marks = ", ".join(f"{count} of {len(verdicts)} {mark}" for mark, count in counts.items())
        legend[model] = f"{model} ({marks})" if marks else model
    return legend


def _normalised(data: Sequence[xr.Dataset], model: str, trained: Sequence[str]) -> np.ndarray:
    """Errors of a model divided by the mean error of all models of the task, for every task and training seed."""
    errors = [learnt.of_runs(store, "one_step_error") for store in data]
    ratios = np.concatenate([e.sel(model=model).values / float(e.sel(model=list(trained)).mean()) for e in errors])
    return ratios[np.isfinite(ratios)]


def _draw_sparsity(axes: Axes, data: Sequence[xr.Dataset], trained: Sequence[str], smallest: float) -> None:
    ratios = [
        np.concatenate([learnt.of_runs(store, "relative_sparsity").sel(model=model).values for store in data])
        for model in trained
    ]
    ratios = [ratio[np.isfinite(ratio)] for ratio in ratios]  # NaN for a task without zeros and for untrained runs
    axes.boxplot([np.maximum(smallest, ratio) for ratio in ratios], orientation="horizontal", positions=range(len(trained)))
    axes.set_xscale("log")
    axes.set_xlim(smallest / 2, 1.5 * max([2.0, *(ratio.max() for ratio in ratios if len(ratio))]))
    axes.axvline(1, color=style.VERMILION, linewidth=1)
    axes.set_yticks([])
    axes.set_xlabel(f"model's zeros / true zeros\n(at least {smallest:g}; target 1)")


def _draw_task(axes: Axes, store: xr.Dataset, legend: Mapping[str, str], marker: str, *, named: bool) -> None:
    """A dot for each model of one task; `named` adds the names of the models to the legend."""
    error, auroc = (learnt.of_runs(store, measure).mean("training_seed") for measure in ("one_step_error", "auroc"))
    for number, (model, name) in enumerate(legend.items()):
        dot: dict[str, Any] = {"color": style.of_model(number), "marker": marker, "linestyle": "", "markersize": 5}
        axes.plot([float(error.sel(model=model))], [float(auroc.sel(model=model))], label=name if named else None, **dot)
    axes.plot([], [], marker=marker, color="black", linestyle="", label=store.attrs["task"])
