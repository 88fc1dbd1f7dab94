"""Do world models recover the sparsity? Scores of every model and control in test episodes.

Values are means over test episodes. `_low` and `_high` are an interval from resampling episodes within training seeds;
there is none if a seed has one test episode.

- `verdict`: "not trained" if the median error of the next state over test episodes is at least that of `persistence`;
  "linear is better" if it is at least that of `linear`. A model that is not trained answers no question of this study.
  A model with "linear is better" predicts the next state no better than a linear fit: read its scores with that in
  mind. If training seeds differ, each has its verdict.
- `basis`: entries scaled by the standard deviation of their input over that of their output, entries as they are
  (`raw`), or the masks of a model that has them.
- `one_step_error`: root mean squared error of the next state, in units of its standard deviation. `_median`: median
  over test episodes; `_median_familiar`: median over test episodes with at most 5 % novel steps. A step is novel if its
  distance to the nearest training step exceeds the 99 % quantile of the distances from training steps to the nearest
  step of another training episode.
- `relative_sparsity`: share of the model's unscaled entries below its threshold, over all steps, divided by the share
  of true zeros (as in the paper; target 1).
- `auroc`: probability that a non-zero entry has a larger magnitude than a zero entry, over all steps and entries (0.5:
  chance). `auroc_median` is the median over test episodes.
- `auroc_by_step`: AUROC among the entries of each step.
- `skill`: 1 for the truth, 0 for an oracle that knows how often each entry is non-zero but nothing of the state, -1 for
  chance, and piecewise linear in between.
- `skill_by_entry`: AUROC within each entry over time, rescaled so that every constant predictor has 0 and the truth 1.
- `average_precision`: of non-zero entries. `zero_f1`: F1 of detecting zeros.
- `leakage`: share of the total magnitude that lies on true zeros.
- `relative_error`: error of the scaled Jacobian relative to the truth, in the Frobenius norm.

The controls are `persistence` (nothing changes), `linear` (one least-squares fit), `neighbours` (one least-squares fit
around each step), `static_oracle` and `truth`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions import learnt

_ENDS = ("", "_low", "_high")
ERRORS = ("one_step_error", "one_step_error_median", "one_step_error_median_familiar")
SCORES = ("auroc", "auroc_by_step", "skill", "skill_by_entry", "average_precision", "zero_f1", "leakage")


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, model, basis and condition, from the recovery stores."""
    del paper
    return pd.DataFrame([row for data in stores for row in _rows(data)])


def _rows(data: xr.Dataset) -> list[dict[str, object]]:
    rows = []
    for model in map(str, data.model.values):
        of_model = data.sel(model=model)
        ended = sorted({how for run, how in data.attrs["ended"].items() if run.rpartition("/")[0] == model})
        verdicts = learnt.of_task(data, model)
        for basis in map(str, data.basis.values):
            if of_model.auroc.sel(basis=basis).isnull().all():
                continue
            for condition in map(str, data.condition.values):
                selected = of_model.sel(basis=basis, condition=condition)
                row: dict[str, object] = {
                    "task": data.attrs["task"],
                    "policy": data.attrs["policy"],
                    "model": model,
                    "ended": ", ".join(ended),
                }
                row |= {"verdict": _verdict(verdicts), "basis": basis, "condition": condition}
                row |= {name: float(selected[name]) for name in ERRORS}
                row["relative_sparsity"] = float(selected.relative_sparsity) if condition == "all" else np.nan
                for name in (*SCORES, "relative_error"):
                    has_basis = name in SCORES or basis == "scaled"
                    row |= {f"{name}{end}": float(selected[f"{name}{end}"]) if has_basis else np.nan for end in _ENDS}
                row["auroc_median"] = float(selected.auroc_median)
                if learnt.NOT_TRAINED in verdicts.values():
                    row |= _scores_of_trained_runs(data, row, model, basis, condition)
                rows.append(row)
    return rows


def _scores_of_trained_runs(
    data: xr.Dataset, row: Mapping[str, object], model: str, basis: str, condition: str
) -> dict[str, float]:
    """Scores that leave out the runs that are not trained; their intervals are NaN, because no store has them."""
    place = {"model": model, "basis": basis, "condition": condition}
    values = {name: np.nan for name in row if name.startswith((*SCORES, "relative_error", "relative_sparsity"))}
    for name in (name for name in (*SCORES, "relative_error", "relative_sparsity") if np.isfinite(float(str(row[name])))):
        runs = learnt.of_runs(data, name)
        values[name] = float(
            runs.sel({dim: value for dim, value in place.items() if dim in runs.dims}).mean("training_seed")
        )
    return values


def _verdict(verdicts: Mapping[int, str]) -> str:
    """The verdict that all training seeds share, or each seed's verdict."""
    if len(set(verdicts.values())) <= 1:
        return next(iter(verdicts.values()), "")
    return ", ".join(f"seed {seed}: {verdict}" for seed, verdict in verdicts.items())
