"""Whether world models recover the sparsity.

Every model beside its controls, on episodes that it has not seen. one_step_error: root mean squared error of the next state,
in its standard deviations. relative_sparsity: share of entries of the model's Jacobian, unscaled and over all steps, below
its threshold over the share of true zeros (the paper's; target 1). auroc: chance that a non-zero entry has the larger
magnitude than a zero one (0.5: chance), over all steps and entries; skill: how far it goes from an oracle that knows how
often each entry is non-zero and nothing of the state (0) to the truth (1); skill_by_entry: the same within each entry over
time, where all that is constant has 0. leakage: share of the magnitude that lies on true zeros. relative_error: of the
scaled Jacobian, Frobenius norm.

basis: entries scaled by standard deviation of input / of output, as they are (raw), or the masks of a model that has them.
Means over test episodes, with intervals from resampling episodes within seeds (none where a seed has one test episode).
Controls: `linear`, one least-squares fit; `neighbours`, one around each step; `static_oracle`; `truth`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

_ENDS = ("", "_low", "_high")
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
        for basis in map(str, data.basis.values):
            if of_model.auroc.sel(basis=basis).isnull().all():
                continue
            for condition in map(str, data.condition.values):
                here = of_model.sel(basis=basis, condition=condition)
                row: dict[str, object] = {"task": data.attrs["task"], "model": model, "ended": ", ".join(ended)}
                row |= {"basis": basis, "condition": condition, "one_step_error": float(here.one_step_error)}
                row["relative_sparsity"] = float(here.relative_sparsity) if condition == "all" else np.nan
                for name in (*SCORES, "relative_error"):
                    of_this = name in SCORES or basis == "scaled"
                    row |= {f"{name}{end}": float(here[f"{name}{end}"]) if of_this else np.nan for end in _ENDS}
                rows.append(row)
    return rows
