"""Scores of world models by condition of the step: free, in contact, at a limit, near a switch.

Test steps are split into steps without an active constraint, with an active contact, with an active joint or tendon
limit, and within two steps of a pattern switch. Bars are means over the tasks that have such steps, dots are tasks.
Left: AUROC of non-zero against zero entries of the scaled Jacobian (0.5 is chance). Right: error of the next state in
its standard deviations, medians over test episodes. Runs that are not trained (no better than predicting that nothing
changes) are left out; brackets after a name count them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.figures import style
from dynamic_sparsity.figures.recovery import names

_NAMES = {"all": "all", "free": "free", "contact": "contact", "limit": "limit", "near_switch": "near\nswitch"}


def draw(stores: Sequence[xr.Dataset], *, tasks: bool) -> Figure:
    """Two panels from the recovery stores of all tasks: AUROC, and error of the next state."""
    figure = Figure(figsize=(13, 4))
    recovery, error = figure.subplots(1, 2)
    scaled = [store.sel(basis="scaled") for store in stores]
    conditions = [name for name in map(str, stores[0].condition.values) if name in _NAMES]
    models = names(stores)
    for axes, measure in ((recovery, "auroc"), (error, "one_step_error")):
        _draw(axes, scaled, measure, models, conditions, tasks=tasks)
    recovery.axhline(0.5, color=style.GREY, linestyle=":", linewidth=1)
    recovery.set_ylabel("AUROC of non-zero against zero entries")
    style.log_scale(error.yaxis)
    style.plain_log_ticks(error.yaxis)
    error.set_ylabel("error of the next state, standard deviations")
    figure.legend(*recovery.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.suptitle("Recovery and error by what the constraints do", x=0.01, ha="left")
    return figure


def _draw(
    axes: Axes,
    stores: Sequence[xr.Dataset],
    measure: str,
    models: Mapping[str, str],
    conditions: Sequence[str],
    *,
    tasks: bool,
) -> None:
    """Means of each model over the tasks that have such steps; `tasks` adds a dot for each task."""
    of_tasks = [learnt.of_runs(store, measure) for store in stores]
    for number, (model, name) in enumerate(models.items()):
        offset = 0.7 * ((number + 0.5) / len(models) - 0.5)
        runs = (of_task.sel(model=model, condition=list(conditions)) for of_task in of_tasks)
        values = np.array([of_task.mean("training_seed").values for of_task in runs])
        finite = np.isfinite(values)
        means = np.where(finite, values, 0).sum(axis=0) / np.where(finite.any(axis=0), finite.sum(axis=0), np.nan)
        places = np.arange(len(conditions)) + offset
        if tasks:
            axes.plot(
                np.tile(places, len(values)), values.ravel(), "o", color=style.of_model(number), markersize=2.5, alpha=0.35
            )
        axes.plot(places, means, "_", color=style.of_model(number), markersize=9, markeredgewidth=2.5, label=name)
    axes.set_xticks(range(len(conditions)), [_NAMES[name] for name in conditions])
