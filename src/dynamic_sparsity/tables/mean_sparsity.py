"""Mean sparsity (zeros / entries) of a step, by block of the Jacobian and by threshold.

Means are over episodes; intervals come from resampling episodes within seeds. Global zeros are the entries that
are zero in every sample. Non-finite entries are in no statistic; their share is in the last column.
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
            "mean_sparsity": here.mean_sparsity.item(),
            "low": here.mean_sparsity_low.item(),
            "high": here.mean_sparsity_high.item(),
            "global_zeros": here.global_zeros.item(),
            "entries": here.entries.item(),
            "nonfinite_share": float(data.nonfinite_fraction.mean()),
        }
        for block in data.block.values
        for threshold in data.threshold.values
        for here in [data.sel(block=block, threshold=threshold)]
    ]
