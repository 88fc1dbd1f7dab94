"""Mean sparsity (zeros / entries) of a step, by block of the Jacobian and by threshold.

Means are over episodes; `low` and `high` are an interval from resampling episodes within study seeds. `main_threshold`
marks the threshold of the study. `global_zeros` counts the entries that are zero in every sample. Non-finite entries
are in no statistic; `nonfinite_share` is their share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr


def build(summaries: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy, block and threshold, from the summary stores."""
    del paper
    return pd.DataFrame([row for data in summaries for row in _rows(data)])


def _rows(data: xr.Dataset) -> list[dict[str, object]]:
    return [
        {
            "task": data.attrs["task"],
            "policy": data.attrs["policy"],
            "block": str(block),
            "threshold": float(threshold),
            "main_threshold": "yes" if threshold == data.attrs["threshold"] else "",
            "mean_sparsity": selected.mean_sparsity.item(),
            "low": selected.mean_sparsity_low.item(),
            "high": selected.mean_sparsity_high.item(),
            "global_zeros": selected.global_zeros.item(),
            "entries": selected.entries.item(),
            "nonfinite_share": float(data.nonfinite_fraction.mean()),
        }
        for block in data.block.values
        for threshold in data.threshold.values
        for selected in [data.sel(block=block, threshold=threshold)]
    ]
