"""Whether the result depends on how a step is differentiated.

The same recorded steps of the first policy and seed, differentiated in several ways and compared with `unrolled` (automatic
differentiation of the step as Playground runs it, in float64). `implicit` differentiates the constraint solver's solution,
`finite` takes central differences of MuJoCo's C engine; `-converged` lets the solver converge, which changes the step itself
(step_difference: median distance of its next state from the recorded one), `-float32` computes in single precision.
error: largest |difference| of a step over the largest |entry| of that step, median and 99th percentile over steps.
sparsity: zeros / entries at the threshold; disagreeing: share of entries that are zero in one way and not in the other, with
the smallest and the largest share of an episode; same_pattern: share of steps with exactly the same zeros. Non-finite
entries of either way count in nothing; their share is in the last column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

REFERENCE = "unrolled"
THRESHOLDS = [10.0**exponent for exponent in range(-12, -1, 2)]


def build(jacobians: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, way to differentiate and threshold, from stores of Jacobians of the same rollouts."""
    del paper
    references = {data.attrs["task"]: data for data in jacobians if data.attrs["variant"] == REFERENCE}
    return pd.DataFrame([row for data in jacobians for row in _rows(data, references[data.attrs["task"]])])


def _rows(data: xr.Dataset, reference: xr.Dataset) -> list[dict[str, object]]:
    ours, theirs = _steps(data), _steps(reference)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    difference = np.where(finite, np.abs(ours - theirs), 0).max(axis=(1, 2))
    error = difference / np.where(finite, np.abs(theirs), 0).max(axis=(1, 2))
    episode = np.repeat(np.arange(data.sizes["episode"]), data.length.values)
    common = {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "way": data.attrs["variant"],
        "steps": len(ours),
        "step_difference": float(data.step_difference.median()),
        "error_median": float(np.median(error)),
        "error_99": float(np.quantile(error, 0.99)),
    }
    rows = []
    for threshold in THRESHOLDS:
        zero = (np.abs(ours) < threshold) & finite
        other = (np.abs(theirs) < threshold) & finite
        disagreeing = (zero != other).sum(axis=(1, 2)) / finite.sum(axis=(1, 2))
        by_episode = [float(disagreeing[episode == number].mean()) for number in np.unique(episode)]
        rows.append(
            {
                **common,
                "threshold": threshold,
                "sparsity": float(zero.sum() / finite.sum()),
                "sparsity_unrolled": float(other.sum() / finite.sum()),
                "disagreeing": float(disagreeing.mean()),
                "disagreeing_low": min(by_episode),
                "disagreeing_high": max(by_episode),
                "same_pattern": float((disagreeing == 0).mean()),
                "nonfinite_share": float(1 - finite.mean()),
            }
        )
    return rows


def _steps(data: xr.Dataset) -> np.ndarray:
    """All steps of all episodes, [step, out_dim, in_dim]."""
    lengths = data.length.values
    return np.concatenate([data.jacobian.values[number, :length] for number, length in enumerate(lengths)])
