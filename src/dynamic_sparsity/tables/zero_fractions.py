"""Share of steps at which each entry of J_s is zero, compared with the numbers printed in the paper's Figure 3.

The table has only the tasks whose numbers the paper prints. `next_variable` is the row of the entry, `variable` its
column. Shares are in percent, over all steps of all episodes; `difference` is this study's share minus the paper's. The
paper rounds to whole percents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr


def build(summaries: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy and entry, from the summary stores."""
    columns = ["task", "policy", "next_variable", "variable", "percent_zero", "paper_percent_zero", "difference"]
    return pd.DataFrame([row for data in summaries for row in _rows(data, paper["figure3"])], columns=columns)


def _rows(data: xr.Dataset, paper: pd.DataFrame) -> list[dict[str, object]]:
    fraction = 100 * data.zero_fraction.sel(threshold=data.attrs["threshold"])
    return [
        {
            "task": data.attrs["task"],
            "policy": data.attrs["policy"],
            "next_variable": str(fraction.out_dim.values[entry.row]),
            "variable": str(fraction.in_dim.values[entry.column]),
            "percent_zero": float(fraction[entry.row, entry.column]),
            "paper_percent_zero": float(entry.percent_zero),
            "difference": float(fraction[entry.row, entry.column]) - entry.percent_zero,
        }
        for entry in paper[paper.task == data.attrs["task"]].itertuples()
    ]
