"""Losses of the world models by epoch, one panel for each task.

Each training seed has a line for the validation loss and a dotted one for the training loss. A model with a loss on the
Jacobian or a penalty on its masks shows the sum of its losses: compare shapes between models, not heights. Brackets
after a name count the runs that are not trained (no better than predicting that nothing changes) or worse than a linear
fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dynamic_sparsity.figures import style
from dynamic_sparsity.figures.recovery import names

_COLUMNS = 4


def draw(stores: Sequence[xr.Dataset], *, training: bool) -> Figure:
    """A panel for each recovery store (task), with lines for every model and training seed."""
    columns = min(_COLUMNS, len(stores))
    rows = math.ceil(len(stores) / columns)
    legend = names(stores)
    figure = Figure(figsize=(max(6.5, 1.5 + 2.6 * columns), 1 + 2.3 * rows + 0.2 * len(legend)))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, store in zip(grid, stores, strict=False):
        _draw(axes, store, legend, training=training)
        axes.set_title(store.attrs["task"])
        style.log_scale(axes.yaxis)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in grid[len(stores) :]:
        axes.set_visible(False)
    grid[0].set_ylabel("loss")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    figure.suptitle("Losses of world models: validation, and training (dotted)", x=0.01, ha="left")
    return figure


def _draw(axes: Axes, store: xr.Dataset, legend: Mapping[str, str], *, training: bool) -> None:
    """Lines of the validation loss, and if `training` of the training loss, for each training seed of each model."""
    number = 0
    for model, name in legend.items():
        curves = store.history.sel(model=model)
        if curves.isnull().all():
            continue
        for seed in range(curves.sizes["training_seed"]):
            for part, line in (("validation", "-"), ("training", ":")):
                if part == "training" and not training:
                    continue
                values = curves.isel(training_seed=seed).sel(part=part).values
                label = name if part == "validation" and not seed else None
                epochs = np.arange(1, len(values) + 1)
                axes.plot(epochs, values, line, color=style.of_model(number), linewidth=1, label=label)
        number += 1
