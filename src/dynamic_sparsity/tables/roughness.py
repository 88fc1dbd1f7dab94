"""Share of the steps of a task that have no meaningful derivative.

A step is rough if central differences of two widths (1e-6 and 1e-5), of the same step of MJX, differ by more than 0.1 %
of the largest entry. Within 1e-5 of such a state a contact closes, a limit is reached, the solver takes another path,
or the step function is strongly curved. No method can be right at such a step, and its Jacobian says little about the
effect of a change of the input.

- `rough`: share of rough steps, with an interval from resampling episodes within study seeds.
- `rough_constrained`, `rough_free`: the same among the steps with and without an active constraint.
- `unconverged`: share of steps in which the constraint solver stopped before it had converged.
- `median`, `quantile_90`: median and 90 % quantile of the largest difference between the results of the two widths,
  relative to the largest entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.settings.ablation import REFERENCE, ROUGH
from dynamic_sparsity.tables._shares import interval


def build(ablations: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the ablation stores."""
    del paper
    return pd.DataFrame([_row(data) for data in ablations])


def sentences(frame: pd.DataFrame) -> list[str]:
    """One sentence per task and policy."""
    return [
        f"{row['task']}, {row['policy']}: {row['rough']:.1%} of the steps are rough{interval(row, 'rough')}; with an active"
        f" constraint {_share(row['rough_constrained'])}, without one {_share(row['rough_free'])}."
        for row in frame.to_dict("records")
    ]


def _row(data: xr.Dataset) -> dict[str, object]:
    first = data.isel(pair=int(np.flatnonzero(data.reference.values == REFERENCE)[0]))
    finite = np.isfinite(data.roughness.values)
    roughness, constrained = data.roughness.values[finite], data.constrained.values[finite]
    rough = roughness > ROUGH
    return {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "steps": len(rough),
        **{f"rough{end}": float(first[f"rough{end}"]) for end in ("", "_low", "_high")},
        "rough_constrained": _mean(rough[constrained]),
        "rough_free": _mean(rough[~constrained]),
        "unconverged": _mean(data.unconverged.values),
        "median": float(np.median(roughness)) if len(rough) else np.nan,
        "quantile_90": float(np.quantile(roughness, 0.9)) if len(rough) else np.nan,
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _share(value: float) -> str:
    return "no step" if np.isnan(value) else f"{value:.1%}"
