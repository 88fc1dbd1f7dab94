"""Whether the result depends on how a step is differentiated.

A sample of recorded steps was differentiated in several ways, and each `way` is compared with a `reference`.

- `differences`: central differences of the same step of MJX in float64. They are taken as the truth.
- `exact`, the default: differentiates the solver's solution if the solver converged, and its iterations otherwise.
- `unrolled`: differentiates all iterations of the solver.
- `implicit`: differentiates the solver's solution in all steps.
- `finite`: central differences of MuJoCo's C engine.
- With `-converged`, the solver iterates until it has converged, which changes the step itself. `differences-converged`
  is the truth for that step.
- With `-float32`, the way computes in single precision.

A step is rough if central differences of two widths (1e-6 and 1e-5) differ by more than 0.1 % of the largest entry.
Such a step has no meaningful derivative and is left out of all comparisons with differences; the other steps are
smooth. Comparisons with `exact` use all steps, and `rough` is empty. They can compare zeros at thresholds (1e-8 and
less) below the rounding error of differences.

- `rough`: share of rough steps.
- `off_1`, `off_10`: share of the compared steps at which the largest |difference| exceeds 1 % or 10 % of the largest
  |entry| of the reference.
- `error_median`, `error_99`: the largest |difference| over the largest |entry| of the reference: median and 99th
  percentile over the steps of an episode.
- `step_difference`: median distance of the next state that the way computes from the recorded one.
- `sparsity`, `reference_sparsity`: zeros / entries at the threshold.
- `disagreeing`: share of the entries that are zero for either the way or the reference and non-zero for the other.
- `same_pattern`: share of the steps at which both have exactly the same zeros.
- `pattern_off_1`, `pattern_off_10`: share of the steps at which more than 1 % or 10 % of the entries disagree;
  `pattern_median`: median over the steps of the share of disagreeing entries.
- `nonfinite`: share of the steps with a non-finite entry in either Jacobian. They count in no other column.

All values are means over episodes; `_low` and `_high` are an interval from resampling episodes within study seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from dynamic_sparsity.settings.ablation import REFERENCE
from dynamic_sparsity.tables._shares import with_interval

ESTIMATES = (
    *("rough", "off_1", "off_10", "error_median", "error_99", "step_difference", "sparsity", "reference_sparsity"),
    *("disagreeing", "same_pattern", "pattern_off_1", "pattern_off_10", "pattern_median", "nonfinite"),
)


def build(ablations: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy, pair of ways to differentiate and threshold, from the ablation stores."""
    del paper
    rows = []
    for data in ablations:
        for pair in range(data.sizes["pair"]):
            for number, threshold in enumerate(data.threshold.values):
                cell = data.isel(pair=pair, threshold=number)
                row = {"task": data.attrs["task"], "policy": data.attrs["policy"], "steps": int(data.steps)}
                row |= {"way": str(cell.way.item()), "reference": str(cell.reference.item()), "threshold": float(threshold)}
                for name in ESTIMATES:
                    row |= {f"{name}{end}": float(cell[f"{name}{end}"]) for end in ("", "_low", "_high")}
                rows.append(row)
    return pd.DataFrame(rows)


def sentences(frame: pd.DataFrame) -> list[str]:
    """One sentence per task, policy and pair of ways to differentiate."""
    return [_sentence(rows) for _, rows in frame.groupby(["task", "policy", "way", "reference"], sort=False)]


def _sentence(rows: pd.DataFrame) -> str:
    finest = rows.loc[rows.threshold.idxmin()]
    subject = f"{finest.task}, {finest.policy}: {finest.way} against {finest.reference}"
    if pd.isna(finest.off_1):
        return f"{subject}: no smooth step to compare."
    steps = "smooth steps" if "differences" in finest.reference else "steps"
    value = (
        f"{with_interval(finest, 'off_1')} of the {steps} are off by more than 1 %, {with_interval(finest, 'off_10')} by"
        f" more than 10 %; the median error is {finest.error_median:.1g}"
    )
    if finest.nonfinite > 0:
        value += f"; {with_interval(finest, 'nonfinite')} of the steps have a non-finite entry and are left out"
    if finest.reference == REFERENCE:
        return f"{subject}: {value}. Rough steps: {with_interval(finest, 'rough')}."
    zeros = f"at {finest.threshold:g} {with_interval(finest, 'same_pattern')} of the steps have the same zeros"
    return f"{subject}: {value}; {zeros}."
