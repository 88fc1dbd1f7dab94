"""The most frequent patterns of each task: how often each occurs, how sparse it is, and what follows it.

A pattern is the zero mask of a step as a whole. Followers: the patterns that came next when it ended, with how
often; at most three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

_COLUMNS = ["task", "policy", "pattern", "steps", "share", "zeros", "sparsity", "followers"]
_FOLLOWERS = 3


def build(patterns: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`temporal.max_patterns` rows per task and policy at most, from the pattern stores."""
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
    chosen = data.follow_from.values == number
    pairs = list(zip(data.follow_to.values[chosen], data.follow_count.values[chosen], strict=True))[:_FOLLOWERS]
    return ", ".join(f"{target} ({count})" for target, count in pairs)
