"""Whether the result depends on how a step is differentiated.

The same recorded steps, differentiated in several ways. `unrolled` is automatic differentiation of the step as
Playground runs it, in float64: the default. `implicit` differentiates the constraint solver's solution instead of its
iterations; `finite` takes central differences of MuJoCo's C engine. With `-converged` the solver goes on until it has
converged, which changes the step itself; `-float32` computes in single precision. Each way is compared with
`unrolled`, and what runs the converged solver also with `unrolled-converged`: the first comparison holds the effect
of the stopped solver, the second that of the method alone.

error: largest |difference| of a step over the largest |entry| of the reference in it, median and 99th percentile over
the steps of an episode. step_difference: median distance of the way's next state from the recorded one. sparsity:
zeros / entries at the threshold. disagreeing: share of entries that are zero in one and not in the other.
same_pattern: share of steps with exactly the same zeros, among the steps without an entry that is not finite. Means over
episodes; intervals come from resampling episodes within seeds. Entries that are not finite in either way count in nothing
but their share, `nonfinite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

ESTIMATES = (
    *("error_median", "error_99", "step_difference", "sparsity", "reference_sparsity"),
    *("disagreeing", "same_pattern", "nonfinite"),
)
_ALIKE = 0.999
"""From this share of steps with the same zeros on, a sentence calls two ways alike."""


def build(ablations: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy, pair of ways and threshold, from the ablation stores."""
    del paper
    rows = []
    for data in ablations:
        for pair in range(data.sizes["pair"]):
            for number, threshold in enumerate(data.threshold.values):
                here = data.isel(pair=pair, threshold=number)
                row = {"task": data.attrs["task"], "policy": data.attrs["policy"], "steps": int(data.steps)}
                row |= {"way": str(here.way.item()), "reference": str(here.reference.item()), "threshold": float(threshold)}
                for name in ESTIMATES:
                    row |= {f"{name}{end}": float(here[f"{name}{end}"]) for end in ("", "_low", "_high")}
                rows.append(row)
    return pd.DataFrame(rows)


def sentences(frame: pd.DataFrame) -> list[str]:
    """What the table says, one sentence per task and pair of ways."""
    return [_sentence(rows) for _, rows in frame.groupby(["task", "policy", "way", "reference"], sort=False)]


def _sentence(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    fine = rows.loc[rows.threshold.idxmin()]
    value = (
        f"in value it is {_number(first, 'error_median')} off in the median step and {_number(first, 'error_99')} in the"
        " 99th percentile, relative to the step's largest entry"
    )
    alike = rows[rows.same_pattern >= _ALIKE].threshold.sort_values()
    pattern = f"at {fine.threshold:g} {_percent(fine, 'same_pattern')} of the steps have the same zeros"
    if len(alike) == len(rows):
        where = "and so at every threshold"
    elif len(alike):
        where = f"and at least {_ALIKE:.1%} do at {', '.join(f'{threshold:g}' for threshold in alike)}"
    else:
        where = f"and at no threshold {_ALIKE:.1%} do"
    return f"{first.task}, {first.way} against {first.reference}: {value}; {pattern}, {where}."


def _number(row: pd.Series, name: str) -> str:
    return f"{row[name]:.2g}{_interval(row, name, '{:.2g}')}"


def _percent(row: pd.Series, name: str) -> str:
    return f"{row[name]:.1%}{_interval(row, name, '{:.1%}')}"


def _interval(row: pd.Series, name: str, form: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if pd.isna(low) or low == high else f" ({form.format(low)} to {form.format(high)})"
