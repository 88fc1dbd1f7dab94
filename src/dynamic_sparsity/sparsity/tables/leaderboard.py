"""World models by how well they recover the sparsity, over all tasks.

One row per model and basis, best AUROC first: scaled entries of the Jacobian, and masks of a model that has them. Means over
tasks and training seeds on test episodes; _low and _high: interval from resampling tasks (none with fewer than three).
diverged: runs that did; they count by the weights of their best epoch. relative_error_of_state: error of the next state
over its mean over the trained models of the same task. auroc: of non-zero against zero entries (0.5: chance);
skill_by_entry: the same within each entry over time, where all that is constant has 0. zero_f1: of zeros, at the threshold
that gives their number in validation episodes. leakage: share of the magnitude on true zeros. relative_error: of the scaled
Jacobian, Frobenius norm. rollout_error: after the most steps, in standard deviations of the state, the median instead of the
mean: some rollouts grow without bound. A mask is open or closed, so its auroc is that of one point: the mean of its two
rates of being right. The controls `linear`, `neighbours`, `static_oracle` and `truth` predict no state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.sparsity.tables.world_model_answers import Pooled

RECOVERY = ("auroc", "skill_by_entry", "average_precision", "zero_f1", "leakage")


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model and basis, from the recovery stores of all tasks."""
    del paper
    pooled = Pooled(stores)
    errors = [pooled.of("one_step_error", name).mean("training_seed").values for name in pooled.trained]
    of_task = np.mean(errors, axis=0) if errors else np.full(len(pooled.tasks), np.nan)
    diverged = [run.rpartition("/")[0] for _, run, how in pooled.ended if how == "diverged"]
    rows = []
    for model in map(str, pooled.scores.model.values):
        for basis in ("scaled", "mask"):
            if pooled.of("auroc", model, basis=basis).isnull().all():
                continue
            row: dict[str, object] = {"model": model, "basis": basis, "diverged": diverged.count(model)}
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
