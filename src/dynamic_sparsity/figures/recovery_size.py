"""Depth and width of the plain MLP: recovery and error.

Plain MLPs of this study by width (horizontal axis) and depth (lines). Left: AUROC of non-zero against zero entries of
the scaled Jacobian. Right: error of the next state in its standard deviations. Thick lines are means over the tasks in
which all MLPs of that depth have learnt. Each thin line is one task; it leaves out MLPs that have not learnt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.figures import style
from dynamic_sparsity.settings.world_models import WorldModelSettings

_MARKERS = "osD^vP*X"


def draw(stores: Sequence[xr.Dataset], *, tasks: bool) -> Figure:
    """Two panels from the recovery stores of all tasks: AUROC and error of the plain MLPs by width.

    Each depth has a line, which is the mean over the tasks in which all MLPs of this depth have learnt.
    """
    described = json.loads(stores[0].attrs["settings"])["world_models"]["models"]
    models = {name: WorldModelSettings.model_validate(described[name]) for name in learnt.models(stores[0])}
    plain = {name: model for name, model in models.items() if model.plain}
    figure = Figure(figsize=(9, 4))
    recovery, error = figure.subplots(1, 2)
    scaled = [store.sel(basis="scaled", condition="all") for store in stores]
    means = {
        measure: [learnt.of_runs(store, measure).mean("training_seed") for store in scaled]
        for measure in ("auroc", "one_step_error")
    }
    for number, depth in enumerate(sorted({model.depth for model in plain.values()})):
        for axes, measure in ((recovery, "auroc"), (error, "one_step_error")):
            widths = sorted((model.width, name) for name, model in plain.items() if model.depth == depth)
            values = [[float(of_task.sel(model=name)) for _, name in widths] for of_task in means[measure]]
            _line(axes, [width for width, _ in widths], np.array(values), number, depth, tasks=tasks)
    recovery.axhline(0.5, color=style.GREY, linestyle=":", linewidth=1)
    recovery.set_ylabel("AUROC of non-zero against zero entries")
    style.log_scale(error.yaxis)
    style.plain_log_ticks(error.yaxis)
    error.set_ylabel("error of the next state, standard deviations")
    for axes in (recovery, error):
        style.log_scale(axes.xaxis, base=2)
        axes.set_xlabel("units of a hidden layer")
    figure.legend(*recovery.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.suptitle("Depth and width of the plain MLP: mean over tasks", x=0.01, ha="left")
    return figure


def _line(axes: Axes, widths: Sequence[int], values: np.ndarray, number: int, depth: int, *, tasks: bool) -> None:
    line: dict[str, Any] = {"color": f"C{number}", "marker": _MARKERS[number % len(_MARKERS)]}
    if tasks:
        axes.plot(widths, values.T, color=f"C{number}", linewidth=0.5, alpha=0.4)
    whole = values[np.isfinite(values).all(axis=1)]  # the same tasks at all widths
    axes.plot(
        widths,
        whole.mean(axis=0) if len(whole) else np.full(len(widths), np.nan),
        label=f"{depth} hidden layer{'s' if depth > 1 else ''}",
        **line,
    )
