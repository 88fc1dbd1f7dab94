"""World models ranked by how well they recover the sparsity, over all tasks.

Each model has a row for the scaled entries of its Jacobian and, if it has masks, one for its masks; the best AUROC
comes first. Values are means over tasks and training seeds in test episodes. `_low` and `_high` are the ends of an
interval from resampling tasks; with fewer than three tasks there is no interval.

- `diverged`: runs that diverged. They count, with the weights of their best epoch.
- `not_trained`: runs whose error of the next state is at least that of `persistence` (nothing changes). They count in
  no score but `error_over_persistence`.
- `linear_is_better`: runs that count although `linear` predicts the next state at least as well.
- `error_over_persistence`: median error of the next state over test episodes, divided by that of `persistence`, for all
  runs.
- `relative_error_of_state`: the same error, divided by its mean over the trained models of the task.
- `auroc`: of non-zero against zero entries (0.5: chance). For masks, which are open or closed, it is the balanced
  accuracy: the mean of the shares of non-zero and of zero entries that the mask gets right.
- `skill_by_entry`: AUROC within each entry over time, rescaled so that every constant predictor has 0 and the truth 1.
- `average_precision`: of non-zero entries.
- `zero_f1`: F1 of detecting zeros, at a threshold matched on the validation episodes: as many of their entries lie
  below it as are truly zero.
- `leakage`: share of the total magnitude that lies on true zeros.
- `relative_error`: error of the scaled Jacobian relative to the truth, in the Frobenius norm.
- `rollout_error`: error after the longest horizon, in standard deviations of the state. It is a median instead of a
  mean because some rollouts grow without bound.

The controls `neighbours`, `static_oracle` and `truth` predict no state.
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
    errors = [pooled.measured("one_step_error", name).mean("training_seed").values for name in pooled.trained]
    error_of_task = pd.DataFrame(errors).mean().to_numpy() if errors else np.full(len(pooled.tasks), np.nan)
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
            values = {name: pooled.measured(name, model, basis=basis).values for name in RECOVERY}
            values["relative_error"] = pooled.measured("relative_error", model).values
            values["relative_error_of_state"] = pooled.measured("one_step_error", model).values / error_of_task[:, None]
            longest = pooled.scores.horizon.values.max()
            values["rollout_error"] = pooled.measured("rollout_error", model, horizon=longest).values
            for name, array in values.items():
                statistic = np.nanmedian if name == "rollout_error" else np.nanmean
                low, high = f"{name}_low", f"{name}_high"
                row[name], row[low], row[high], _ = pooled.estimate(array, statistic)
            rows.append(row)
    frame = pd.DataFrame(rows).sort_values("auroc", ascending=False, kind="stable", ignore_index=True)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    return frame
