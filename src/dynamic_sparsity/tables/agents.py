"""Does it matter who acts? Sparsity, switches and constraints under each policy of the study.

All means are over episodes. `_low` and `_high` are the ends of an interval from resampling episodes within study seeds.

- `sparsity`: mean sparsity of [J_s J_a] at the study's threshold.
- `switch_rate`: share of steps that are switches, which means that the pattern differs from the one before.
- `contact`, `joint_limit`, `tendon_limit`: share of steps in which such a constraint is active.
- `global_zeros_J_s`: entries of J_s that are zero in every sample.
- `distinct_patterns`, `episodes`: numbers of patterns and of episodes.
- `distinct_episodes`: number of episodes that differ in their initial state or first action. Where it is 1, nothing is
  random and the interval has no width. Resets of BallInCup, for example, draw no random numbers, so under the policy
  `zero` all of its episodes are the same.
- `agent`: for a trained policy, whether it is an expert (table `returns`).
- `differs_from`: policies whose interval of mean sparsity does not overlap with this policy's. It is "unknown" if one
  episode per seed gives no interval. With few episodes an interval can be narrow only because the episodes happen to be
  alike, so read this column with care.
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
    """One row per task and policy, from the summary, pattern and rollout stores."""
    agents = verdicts(stores, paper["playground_returns"])
    rows = [
        {**_row(*pair), "distinct_episodes": _distinct_episodes(stores, *run), "agent": agents.get(run, "")}
        for run, pair in joined_runs(stores, "summary", "patterns").items()
    ]
    frame = pd.DataFrame(rows).sort_values("task", kind="stable", ignore_index=True)
    return frame.assign(differs_from=[_other_policies_apart(row, frame) for _, row in frame.iterrows()])


def _row(summary: xr.Dataset, patterns: xr.Dataset) -> dict[str, object]:
    main_summary = summary.sel(threshold=summary.attrs["threshold"])
    row: dict[str, object] = {"task": summary.attrs["task"], "policy": summary.attrs["policy"]}
    measured = {
        "sparsity": [main_summary.sel(block=ALL)[f"mean_sparsity{end}"] for end in ("", "_low", "_high")],
        "switch_rate": [patterns[f"switch_rate_{end}"] for end in ("mean", "low", "high")],
        **{
            str(kind): [main_summary[f"active_share_{end}"].sel(kind=kind) for end in ("mean", "low", "high")]
            for kind in main_summary.kind.values
        },
    }
    for name, values in measured.items():
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), (value.item() for value in values), strict=True))
    row["global_zeros_J_s"] = main_summary.global_zeros.sel(block=STATE).item()
    row["distinct_patterns"] = patterns.sizes["pattern"]
    row["episodes"] = int((patterns.length > 0).sum())
    return row


def _distinct_episodes(stores: Sequence[xr.Dataset], task: str, policy: str) -> int:
    """How many episodes of all study seeds differ in their initial state or first action."""
    starts = [
        np.concatenate([data[name].isel(time=0).values for name in ("qpos", "qvel", "ctrl")], axis=1)
        for data in stores
        if (data.attrs["kind"], data.attrs["task"], data.attrs["policy"]) == ("rollouts", task, policy)
    ]
    return len(np.unique(np.concatenate(starts), axis=0))


def _other_policies_apart(row: pd.Series, frame: pd.DataFrame) -> str:
    """Policies of the same task whose interval of mean sparsity does not overlap with this one's, or "unknown"."""
    others = frame[(frame.task == row.task) & (frame.policy != row.policy)]
    ends = ["sparsity_low", "sparsity_high"]
    if row[ends].isna().any() or others[ends].isna().any(axis=None):
        return "unknown"
    apart = others[(others.sparsity_low > row.sparsity_high) | (others.sparsity_high < row.sparsity_low)]
    return ", ".join(apart.policy)
