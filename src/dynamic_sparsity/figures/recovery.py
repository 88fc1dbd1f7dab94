"""Do world models recover the sparsity? The paper's figure 8, and prediction error against recovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.figures import RecoveryFigure

_MARKERS = "osD^vP*X<>hp"
_LINES = ((0, (1, 4)), "--", "-.", ":")


def draw(stores: Sequence[xr.Dataset], settings: RecoveryFigure) -> Figure:
    """Three panels from the recovery stores of all tasks: errors, relative sparsity, AUROC against error."""
    data = [store.sel(basis="scaled", condition="all") for store in stores]
    called = names(stores)
    trained = list(called)
    controls = [str(model) for model in data[0].model.values if str(model) not in trained and str(model) != "truth"]
    figure = Figure(figsize=(13, 1.4 + 0.3 * max(8, len(trained))))
    error, sparsity, both = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 1.4]})
    heights = range(len(trained))
    error.boxplot([_normalised(data, model, trained) for model in trained], orientation="horizontal", positions=heights)
    error.set_yticks(heights, trained)
    error.set_xlabel("error of the next state /\nmean over models of the task")
    _draw_sparsity(sparsity, data, trained, settings.smallest_sparsity)
    for number, store in enumerate(data):
        _draw_task(both, store, called, _MARKERS[number % len(_MARKERS)], named=not number)
    for control, line in zip(controls, _LINES, strict=False):
        mean = float(np.nanmean([store.auroc.sel(model=control) for store in data]))
        both.axhline(mean, color="black", linestyle=line, linewidth=0.8, label=f"{control}, mean over tasks")
    style.log_scale(both.xaxis)
    style.plain_log_ticks(both.xaxis)
    both.set_xlabel("error of the next state, standard deviations")
    both.set_ylabel("AUROC of non-zero against zero entries")
    both.axhline(0.5, color=style.GREY, linewidth=1, label="chance")
    figure.legend(*both.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    for axes in (error, sparsity):
        axes.set_ylim(len(trained) - 0.5, -0.5)
    figure.suptitle("Do world models recover the sparsity?", x=0.01, ha="left")
    return figure


def names(stores: Sequence[xr.Dataset]) -> dict[str, str]:
    """The models of the recovery stores, and how figures call them: how many runs are not trained.

    These are left out of all but the losses.
    """
    found = {}
    for model in learnt.models(stores[0]):
        verdicts = [said for store in stores for said in learnt.of_task(store, model).values()]
        counts = {said: verdicts.count(said) for said in (learnt.NOT_TRAINED, learnt.LINEAR_IS_BETTER) if said in verdicts}
        marks = ", ".join(f"{count} of {len(verdicts)} {said}" for said, count in counts.items())
        found[model] = f"{model} ({marks})" if marks else model
    return found


def _normalised(data: Sequence[xr.Dataset], model: str, trained: Sequence[str]) -> np.ndarray:
    """Errors of a model over those of all models of the same task, for every task and seed."""
    errors = [learnt.of_runs(store, "one_step_error") for store in data]
    found = np.concatenate([e.sel(model=model).values / float(e.sel(model=list(trained)).mean()) for e in errors])
    return found[np.isfinite(found)]


def _draw_sparsity(axes: Axes, data: Sequence[xr.Dataset], trained: Sequence[str], smallest: float) -> None:
    ratios = [
        np.concatenate([learnt.of_runs(store, "relative_sparsity").sel(model=model).values for store in data])
        for model in trained
    ]
    ratios = [found[np.isfinite(found)] for found in ratios]  # NaN for a task without zeros, and what is not trained
    axes.boxplot([np.maximum(smallest, found) for found in ratios], orientation="horizontal", positions=range(len(trained)))
    axes.set_xscale("log")
    axes.set_xlim(smallest / 2, 1.5 * max([2.0, *(found.max() for found in ratios if len(found))]))
    axes.axvline(1, color=style.VERMILION, linewidth=1)
    axes.set_yticks([])
    axes.set_xlabel(f"model's zeros / true zeros\n(at least {smallest:g}; target 1)")


def _draw_task(axes: Axes, store: xr.Dataset, called: Mapping[str, str], marker: str, *, named: bool) -> None:
    """A dot for each model; `named`: with the models' names for the legend."""
    error, auroc = (learnt.of_runs(store, measure).mean("training_seed") for measure in ("one_step_error", "auroc"))
    for number, (model, name) in enumerate(called.items()):
        look: dict[str, Any] = {"color": style.of_model(number), "marker": marker, "linestyle": "", "markersize": 5}
        axes.plot([float(error.sel(model=model))], [float(auroc.sel(model=model))], label=name if named else None, **look)
    axes.plot([], [], marker=marker, color="black", linestyle="", label=store.attrs["task"])
