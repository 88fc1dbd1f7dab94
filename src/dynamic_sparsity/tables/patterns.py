"""The most frequent patterns of each task: how often each occurs, how sparse it is, and which patterns follow it.

A pattern is the zero mask of a whole step. `followers` lists up to three patterns that most often came next when the
pattern ended, each with its count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

_COLUMNS = ["task", "policy", "pattern", "steps", "share", "zeros", "sparsity", "followers"]
_FOLLOWERS = 3


def build(patterns: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """At most `temporal.max_patterns` rows per task and policy, from the pattern stores."""
    del paper
    return pd.DataFrame([row for data in patterns for row in _rows(data)], columns=_COLUMNS)


def _rows(data: xr.Dataset) -> list[dict[str, object]]:
    total = data.pattern_count.sum().item()
    entries = data.sizes["out_dim"] * data.sizes["in_dim"]
    return [
        {
            "task": data.attrs["task"],
            "policy": data.attrs["policy"],
            "pattern": number,
            "steps": int(data.pattern_count[number]),
            "share": int(data.pattern_count[number]) / total,
            "zeros": int(data.pattern_zero[number].sum()),
            "sparsity": int(data.pattern_zero[number].sum()) / entries,
            "followers": _followers(data, number),
        }
        for number in range(int(data.listed_patterns))
    ]


def _followers(data: xr.Dataset, number: int) -> str:
    is_from = data.follow_from.values == number
    pairs = list(zip(data.follow_to.values[is_from], data.follow_count.values[is_from], strict=True))[:_FOLLOWERS]
    return ", ".join(f"{target} ({count})" for target, count in pairs)
