"""Whether the result depends on how a step is differentiated.

A sample of recorded steps, differentiated in several ways. The truth is `differences`: central differences of the
same step of MJX in float64. A step where differences of two widths (1e-6 and 1e-5) are more than 0.1 % of the largest
entry apart is rough: it has no derivative to speak of, and is left out of all comparisons with differences; `rough`
is the share of such steps. `exact` is the default: the solver's solution is differentiated where it converged, its
iterations elsewhere; `unrolled` differentiates all iterations, `implicit` the solution in all steps; `finite` takes
central differences of MuJoCo's C engine. With `-converged` the solver goes on until it has converged, which changes
the step itself; `-float32` computes in single precision. `differences-converged` is the truth of the step with the
converged solver. Comparisons with `exact` are of all steps, rough ones included (`rough` is empty there): zeros can
be compared below the rounding of differences (1e-8 and less).

off_1, off_10: share of the smooth steps whose largest |difference| is above 1 %, 10 % of the largest |entry| of the
reference. error: that ratio, median and 99th percentile over the steps of an episode. sparsity: zeros / entries at
the threshold. disagreeing: share of entries that are zero in one and not in the other. same_pattern: share of steps
with exactly the same zeros; pattern_off_1, pattern_off_10: share of steps in which more than 1 %, 10 % of the entries
disagree, pattern_median: median over the steps of that share. step_difference: median distance of the way's next
state from the recorded one. Means over episodes; intervals come from resampling episodes within seeds. Steps with an
entry that is not finite in either way count in nothing but their share, `nonfinite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from dynamic_sparsity.settings.ablation import REFERENCE

ESTIMATES = (
    *("rough", "off_1", "off_10", "error_median", "error_99", "step_difference", "sparsity", "reference_sparsity"),
    *("disagreeing", "same_pattern", "pattern_off_1", "pattern_off_10", "pattern_median", "nonfinite"),
)


def build(ablations: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy, pair of ways and threshold, from the ablation stores."""
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
    """What the table says, one sentence per task, policy and pair of ways."""
    return [_sentence(rows) for _, rows in frame.groupby(["task", "policy", "way", "reference"], sort=False)]


def _sentence(rows: pd.DataFrame) -> str:
    finest = rows.loc[rows.threshold.idxmin()]
    where = f"{finest.task}, {finest.policy}: {finest.way} against {finest.reference}"
    if pd.isna(finest.off_1):
        return f"{where}: no smooth step to compare."
    steps = "smooth steps" if "differences" in finest.reference else "steps"
    value = (
        f"{_percent(finest, 'off_1')} of the {steps} are off by more than 1 %, {_percent(finest, 'off_10')} by more"
        f" than 10 %; the median error is {finest.error_median:.1g}"
    )
    if finest.nonfinite > 0:
        value += f" (steps with an entry that is not finite left out: {_percent(finest, 'nonfinite')})"
    if finest.reference == REFERENCE:
        return f"{where}: {value}. Rough steps: {_percent(finest, 'rough')}."
    zeros = f"at {finest.threshold:g} {_percent(finest, 'same_pattern')} of the steps have the same zeros"
    return f"{where}: {value}; {zeros}."


def _percent(row: pd.Series, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if pd.isna(low) or low == high else f" ({low:.1%} to {high:.1%})"
    return f"{row[name]:.1%}{interval}"
