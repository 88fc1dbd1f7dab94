"""Does the agent matter? Sparsity, switches and constraints under each policy of the study.

Sparsity is that of [J_s J_a] at the study's threshold; a switch is a step whose pattern differs from the one before;
"contact" and the limits are shares of steps in which one is active; `agent` says whether the expert is one. Means are over
episodes; intervals come from resampling episodes within seeds. "Differs from" names the policies whose interval of mean
sparsity does not overlap with this one's ("unknown" where one episode a seed gives no interval): with few episodes the
intervals are narrow where the episodes happen to be alike, so read them with care. `distinct_episodes` counts those that
differ in their start or first action. Where it is 1 nothing is random and the interval has no width: BallInCup's resets draw
nothing, so under zero actions all its episodes are the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions.blocks import ALL, STATE
from dynamic_sparsity.stores.runs import joined_runs
from dynamic_sparsity.tables.returns import verdicts


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the summary and pattern stores; the rollouts say who acted."""
    agents = verdicts(stores, paper["playground_returns"])
    rows = [
        {**_row(*pair), "distinct_episodes": _distinct_episodes(stores, *run), "agent": agents.get(run, "")}
        for run, pair in joined_runs(stores, "summary", "patterns").items()
    ]
    frame = pd.DataFrame(rows).sort_values("task", kind="stable", ignore_index=True)
    return frame.assign(differs_from=[_apart(row, frame) for _, row in frame.iterrows()])


def _row(summary: xr.Dataset, patterns: xr.Dataset) -> dict[str, object]:
    here = summary.sel(threshold=summary.attrs["threshold"])
    row: dict[str, object] = {"task": summary.attrs["task"], "policy": summary.attrs["policy"]}
    measured = {
        "sparsity": [here.sel(block=ALL)[f"mean_sparsity{end}"] for end in ("", "_low", "_high")],
        "switch_rate": [patterns[f"switch_rate_{end}"] for end in ("mean", "low", "high")],
        **{str(k): [here[f"active_share_{end}"].sel(kind=k) for end in ("mean", "low", "high")] for k in here.kind.values},
    }
    for name, values in measured.items():
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), (value.item() for value in values), strict=True))
    row["global_zeros_J_s"] = here.global_zeros.sel(block=STATE).item()
    row["distinct_patterns"] = patterns.sizes["pattern"]
    row["episodes"] = int((patterns.length > 0).sum())
    return row


def _distinct_episodes(stores: Sequence[xr.Dataset], task: str, policy: str) -> int:
    """How many episodes of all seeds differ in where they start or in their first action."""
    starts = [
        np.concatenate([data[name].isel(time=0).values for name in ("qpos", "qvel", "ctrl")], axis=1)
        for data in stores
        if (data.attrs["kind"], data.attrs["task"], data.attrs["policy"]) == ("rollouts", task, policy)
    ]
    return len(np.unique(np.concatenate(starts), axis=0))


def _apart(row: pd.Series, frame: pd.DataFrame) -> str:
    """Policies of the same task whose interval of mean sparsity lies wholly above or below this one's."""
    others = frame[(frame.task == row.task) & (frame.policy != row.policy)]
    ends = ["sparsity_low", "sparsity_high"]
    if row[ends].isna().any() or others[ends].isna().any(axis=None):
        return "unknown"
    apart = others[(others.sparsity_low > row.sparsity_high) | (others.sparsity_high < row.sparsity_low)]
    return ", ".join(apart.policy)
