"""Groups of entries that share their runs: which entries become zero and non-zero together.

Only entries that switch within an episode are grouped. Two entries are close if their zero series correlate (average
linkage of 1 - phi, cut at 0.1, so that the series of a group correlate by 0.9 on average). The largest groups of each
task and policy are listed.

- `groups`: number of groups of this task and policy; `group`: number of this one, by falling number of entries.
- `entries`: number of its entries. `share`: share of the entries that switch.
- `columns`, `rows`: the variables of the entries, current state and controls (columns) and next state (rows); `all`
  stands for all of them, and each list shows at most six.
- `stability`: mean adjusted Rand index between the groups of resampled episodes and these (1: the same groups; 0: no
  more alike than by chance), with the ends `low` and `high` of its interval. It is of all groups of a task and policy.
- `run_lengths`: groups of completed runs by length (Gaussian mixture of log length, 1 to 4 groups by BIC): centre in
  control steps, and share of the runs; then the number of groups that durations of a memoryless chain give, and the
  share of resamples of episodes that give the same number of groups as the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

_LISTED_GROUPS = 5
_LISTED_LABELS = 6
_COLUMNS = [
    *("task", "policy", "groups", "group", "entries", "share", "columns", "rows"),
    *("stability", "low", "high", "run_lengths"),
]


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """At most five rows per task and policy, from the clustering stores."""
    del paper
    return pd.DataFrame([row for data in stores for row in _rows(data)], columns=_COLUMNS)


def sentences(frame: pd.DataFrame) -> list[str]:
    """For each task and policy: how many groups, what the largest one is, and how stable they are."""
    largest = frame[frame.group == 0]
    return [
        f"{row.task}, policy {row.policy}: {row.groups} group{'s' if row.groups > 1 else ''} (stability"
        f" {_number(row.stability)}). The largest has {row.share:.0%} of the entries that switch: columns {row.columns};"
        f" rows {row.rows}."
        for _, row in largest.iterrows()
    ]


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.2f}"


def _rows(data: xr.Dataset) -> list[dict[str, object]]:
    group = data.group.transpose("out_dim", "in_dim").values
    total = int((group >= 0).sum())
    return [
        {
            "task": data.attrs["task"],
            "policy": data.attrs["policy"],
            "groups": int(group.max()) + 1,
            "group": number,
            "entries": int((group == number).sum()),
            "share": int((group == number).sum()) / total,
            "columns": _names(data.in_dim.values, (group == number).any(0)),
            "rows": _names(data.out_dim.values, (group == number).any(1)),
            "stability": data.group_stability.item(),
            "low": data.group_stability_low.item(),
            "high": data.group_stability_high.item(),
            "run_lengths": _run_lengths(data) if number == 0 else "",
        }
        for number in range(min(_LISTED_GROUPS, int(group.max()) + 1))
    ]


def _names(labels: np.ndarray, chosen: np.ndarray) -> str:
    if chosen.all():
        return "all"
    names = [str(label) for label in labels[chosen]]
    more = len(names) - _LISTED_LABELS
    return ", ".join(names[:_LISTED_LABELS]) + (f" and {more} more" if more > 0 else "")


def _run_lengths(data: xr.Dataset) -> str:
    if np.isnan(data.length_groups):
        return "too few runs"
    known = data.length_group_share.values > 0
    groups = [
        f"{center:.3g} ({share:.0%})"
        for center, share in zip(data.length_group_center.values[known], data.length_group_share.values[known], strict=True)
    ]
    stability = float(data.length_group_stability)
    same = "" if np.isnan(stability) else f", {stability:.0%} of resamples agree"
    return f"{', '.join(groups)}; memoryless: {float(data.length_groups_memoryless):.0f}{same}"
