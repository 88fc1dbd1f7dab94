"""World models by how well they recover the sparsity, over all tasks.

One row per model and basis, best AUROC first: scaled entries of the Jacobian, and masks of a model that has them. Means over
tasks and training seeds on test episodes; _low and _high: interval from resampling tasks (none with fewer than three).
diverged: runs that did; they count by the weights of their best epoch. not_trained: runs whose error of the next state is no
less than that of `persistence` (nothing changes), which count nowhere else; linear_is_better: runs that count and are beaten
by `linear`. error_over_persistence: median error of the next state over test episodes over that of `persistence`, all runs.
relative_error_of_state: that error over its mean over the trained models of the same task. auroc: of non-zero against zero
entries (0.5: chance); skill_by_entry: the same within each entry over time, where all that is constant has 0. zero_f1: of
zeros, at the threshold that gives their number in validation episodes. leakage: share of the magnitude on true zeros.
relative_error: of the scaled Jacobian, Frobenius norm. rollout_error: after the most steps, in standard deviations of the
state, the median instead of the mean: some rollouts grow without bound. A mask is open or closed, so its auroc is that of
one point: the mean of its two rates of being right. The controls `neighbours`, `static_oracle` and `truth` predict no state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.tables._pooled import Pooled

RECOVERY = ("auroc", "skill_by_entry", "average_precision", "zero_f1", "leakage")


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model and basis, from the recovery stores of all tasks."""
    del paper
    pooled = Pooled(stores)
    errors = [pooled.of("one_step_error", name).mean("training_seed").values for name in pooled.trained]
    of_task = pd.DataFrame(errors).mean().to_numpy() if errors else np.full(len(pooled.tasks), np.nan)
    diverged = [run.rpartition("/")[0] for _, run, how in pooled.ended if how == "diverged"]
    rows = []
    for model in map(str, pooled.scores.model.values):
        for basis in ("scaled", "mask"):
            if basis == "mask" and not pooled.has_masks(model):
                continue
            row: dict[str, object] = {"model": model, "basis": basis, "diverged": diverged.count(model)}
            row["not_trained"] = pooled.verdicts[model].count(learnt.NOT_TRAINED)
            row["linear_is_better"] = pooled.verdicts[model].count(learnt.LINEAR_IS_BETTER)
            row["error_over_persistence"] = float(pooled.scores.error_over_persistence.sel(model=model).median())
            values = {name: pooled.of(name, model, basis=basis).values for name in RECOVERY}
            values["relative_error"] = pooled.of("relative_error", model).values
            values["relative_error_of_state"] = pooled.of("one_step_error", model).values / of_task[:, None]
            values["rollout_error"] = pooled.of("rollout_error", model, horizon=pooled.scores.horizon.values.max()).values
            for name, array in values.items():
                statistic = np.nanmedian if name == "rollout_error" else np.nanmean
                low, high = f"{name}_low", f"{name}_high"
                row[name], row[low], row[high], _ = pooled.estimate(array, statistic)
            rows.append(row)
    frame = pd.DataFrame(rows).sort_values("auroc", ascending=False, kind="stable", ignore_index=True)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    return frame
