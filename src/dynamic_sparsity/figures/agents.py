"""Sparsity, switches and contacts of every task under every policy.

Does the agent matter? The panels show, for every task and policy of the study: the mean sparsity of a step, the number
of pattern switches per step, the share of steps with an active contact, and the larger of the shares of steps with an
active joint limit and with an active tendon limit. Bars are intervals from resampling episodes within study seeds.
Where the policies of a task differ, its sparsity is a property of the agent and not of the robot alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamic_sparsity.figures import style
from dynamic_sparsity.stores.runs import joined_runs

_Estimate = Callable[[xr.Dataset, xr.Dataset, str], xr.DataArray]


def draw(stores: Sequence[xr.Dataset], *, contacts_only: bool) -> Figure:
    """Panels side by side with a row per task, from the summary and pattern stores of all tasks and policies."""
    pairs = joined_runs(stores, "summary", "patterns")
    tasks, policies = (list(dict.fromkeys(key[i] for key in pairs)) for i in (0, 1))
    panels = _panels(contacts_only=contacts_only)
    figure = Figure(figsize=(2.4 + 2.0 * len(panels), 1.2 + 0.42 * len(tasks)))
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (label, estimate) in zip(all_axes, panels.items(), strict=True):
        for number, policy in enumerate(policies):
            offset = 0.22 * (number - (len(policies) - 1) / 2)
            _draw_policy(
                axes, policy, [(row + offset, pairs.get((task, policy))) for row, task in enumerate(tasks)], estimate
            )
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.3)
    all_axes[0].set_yticks(np.arange(len(tasks)), tasks)
    all_axes[0].set_ylim(len(tasks) - 0.5, -0.5)
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(policies))
    figure.suptitle("Every task under every policy: means over episodes, with bootstrap intervals", x=0.01, ha="left")
    return figure


def _panels(*, contacts_only: bool) -> dict[str, _Estimate]:
    panels: dict[str, _Estimate] = {
        "mean sparsity of $[J_s\\ J_a]$": _sparsity,
        "switches per step": lambda _, patterns, end: patterns[f"switch_rate_{end}"],
        "steps in contact": lambda summary, _, end: summary[f"active_share_{end}"].sel(kind="contact"),
    }
    if not contacts_only:
        panels["steps at a limit"] = lambda summary, _, end: (
            summary[f"active_share_{end}"].sel(kind=["joint_limit", "tendon_limit"]).max("kind")
        )
    return panels


def _sparsity(summary: xr.Dataset, _: xr.Dataset, end: str) -> xr.DataArray:
    name = "mean_sparsity" if end == "mean" else f"mean_sparsity_{end}"
    return summary[name].sel(threshold=summary.attrs["threshold"], block="[J_s J_a]")


def _draw_policy(axes: Axes, policy: str, rows: list[Any], estimate: _Estimate) -> None:
    present = [(height, pair) for height, pair in rows if pair is not None]
    middle, low, high = (np.array([estimate(*pair, end).item() for _, pair in present]) for end in ("mean", "low", "high"))
    reach = np.nan_to_num(np.abs(np.stack([middle - low, high - middle])))
    marker: dict[str, Any] = {
        "color": style.of_policy(policy),
        "marker": style.POLICY_MARKERS.get(policy, "^"),
        "markersize": 3.5,
    }
    axes.errorbar(middle, [height for height, _ in present], xerr=reach, linestyle="", capsize=2, label=policy, **marker)
