"""Whether world models recover the sparsity.

Every model beside its controls, on episodes that it has not seen. verdict: "not trained" where the median error of the next
state over test episodes is no less than that of `persistence` (nothing changes), "linear is better" where it is no less than
that of `linear`: the first kind answers no question here, the second only with that in mind; one for each training seed, if
they differ. one_step_error: root mean squared error of the next state, in its standard deviations, mean over test episodes;
_median: median over these; _median_familiar: median over those with at most 5 % novel steps, farther from all training steps
than 99 % of these are from those of other episodes. relative_sparsity: share of entries of the model's Jacobian, unscaled
and over all steps, below its threshold over the share of true zeros (the paper's; target 1). auroc: chance that a non-zero
entry has the larger magnitude than a zero one (0.5: chance), over all steps and entries; skill: how far it goes from an
oracle that knows how often each entry is non-zero and nothing of the state (0) to the truth (1), or to chance (-1);
skill_by_entry: the same within each entry over time, where all that is constant has 0. leakage: share of the magnitude that
lies on true zeros. relative_error: of the scaled Jacobian, Frobenius norm.

basis: entries scaled by standard deviation of input / of output, as they are (raw), or the masks of a model that has them.
Means over test episodes (auroc_median: median), with intervals from resampling episodes within seeds (none where a seed has
one test episode). Controls: `persistence`; `linear`, one least-squares fit; `neighbours`, one around each step;
`static_oracle`; `truth`.
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
                here = of_model.sel(basis=basis, condition=condition)
                row: dict[str, object] = {
                    "task": data.attrs["task"],
                    "policy": data.attrs["policy"],
                    "model": model,
                    "ended": ", ".join(ended),
                }
                row |= {"verdict": _said(verdicts), "basis": basis, "condition": condition}
                row |= {name: float(here[name]) for name in ERRORS}
                row["relative_sparsity"] = float(here.relative_sparsity) if condition == "all" else np.nan
                for name in (*SCORES, "relative_error"):
                    of_this = name in SCORES or basis == "scaled"
                    row |= {f"{name}{end}": float(here[f"{name}{end}"]) if of_this else np.nan for end in _ENDS}
                row["auroc_median"] = float(here.auroc_median)
                if learnt.NOT_TRAINED in verdicts.values():
                    row |= _of_the_others(data, row, model, basis, condition)
                rows.append(row)
    return rows


def _of_the_others(data: xr.Dataset, row: Mapping[str, object], model: str, basis: str, condition: str) -> dict[str, float]:
    """Scores without the runs that are not trained, and so without intervals."""
    where = {"model": model, "basis": basis, "condition": condition}
    blank = {name: np.nan for name in row if name.startswith((*SCORES, "relative_error", "relative_sparsity"))}
    for name in (name for name in (*SCORES, "relative_error", "relative_sparsity") if np.isfinite(float(str(row[name])))):
        runs = learnt.of_runs(data, name)
        blank[name] = float(runs.sel({dim: value for dim, value in where.items() if dim in runs.dims}).mean("training_seed"))
    return blank


def _said(verdicts: Mapping[int, str]) -> str:
    """One verdict where all training seeds have the same, else each with its seed."""
    if len(set(verdicts.values())) <= 1:
        return next(iter(verdicts.values()), "")
    return ", ".join(f"seed {seed}: {said}" for seed, said in verdicts.items())
