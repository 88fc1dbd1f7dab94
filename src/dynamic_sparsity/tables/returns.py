"""Returns of every policy, and whether each trained policy is an expert by the standard of Playground's PPO.

All returns are sums of undiscounted rewards over an episode. No task gives more than one per step.

- `rollouts`, `rollouts_std`: mean and standard deviation of the return over the episodes that this study analyses, of
  `steps` steps each.
- `stochastic`, `deterministic`, `coloured`: mean return of the policy in `evaluation_episodes` episodes of its own
  evaluation, with actions sampled as in training, with the mode of the distribution, and with coloured noise of
  exponent 0.5. `noise` and `zero`: mean return of the policies of these names, which are the baselines. `_std`:
  standard deviation over episodes.
- `playground`: return of Playground's PPO. The paper of Playground (arXiv 2502.08844) has no numbers; these were read
  off its training curves by eye by a third party, the benchmark notes of SLM-Lab (resources/paper/README.md). They give
  almost nothing for BallInCup and HopperHop.
- `verdict`: "solved" if the mean stochastic return is at least 80 % of the highest possible return; "as Playground's"
  if it is at least 80 % of the return of Playground's PPO, and Playground's return is at least a tenth of the highest
  possible one; otherwise "not an expert", with its share. "solved" and "as Playground's" also require that the mean
  stochastic return exceeds the means of both baselines by two standard errors of the difference. Differences are paired
  by episode, because all evaluations start from the same resets.
- `expert_seed`: the expert's training seed; `best_step` of `trained_steps`: the training step whose policy was kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

_ENOUGH, _SOMETHING = 0.8, 0.1
EVALUATED = ("stochastic", "deterministic", "coloured", "noise", "zero")


def build(rollouts: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per rollout store (task, policy, study seed); only trained policies have the evaluation's columns."""
    return pd.DataFrame([_row(data, paper["playground_returns"]) for data in rollouts])


def _row(data: xr.Dataset, reported: pd.DataFrame) -> dict[str, object]:
    returns = data.reward.fillna(0).sum("time").values
    task, expert = data.attrs["task"], data.attrs.get("expert")
    return {
        "task": task,
        "policy": data.attrs["policy"],
        "seed": data.attrs["seed"],
        "steps": data.sizes["time"],
        "rollouts": float(returns.mean()),
        "rollouts_std": float(returns.std(ddof=1)) if len(returns) > 1 else np.nan,
        **(evaluation(expert, reported) if expert else {"playground": playground(task, reported)}),
    }


def evaluation(expert: Mapping[str, Any], reported: pd.DataFrame) -> dict[str, Any]:
    """The returns in an expert's provenance, Playground's return for the task, and the verdict, by column.

    `reported` holds Playground's returns by task.
    """
    row: dict[str, Any] = {}
    for name in EVALUATED:
        row |= {name: expert["returns"][name]["mean"], f"{name}_std": expert["returns"][name]["std"]}
    reference = playground(expert["task"], reported)
    return {
        **row,
        "playground": reference,
        "verdict": _verdict(expert["returns"], reference),
        "expert_seed": expert["seed"],
        "best_step": expert["steps"],
        "trained_steps": expert.get("trained_steps"),
        "minutes": expert.get("minutes"),
        "evaluation_episodes": expert["returns"]["episodes"],
        "hardware": expert["hardware"],
    }


def verdicts(stores: Iterable[xr.Dataset], reported: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The verdicts on the trained policies that acted, by (task, policy), from the rollout stores among `stores`.

    Different verdicts of one task and policy are joined by semicolons.
    """
    by_run: dict[tuple[str, str], list[str]] = {}
    for data in stores:
        if data.attrs["kind"] == "rollouts" and (expert := data.attrs.get("expert")):
            verdict = _verdict(expert["returns"], playground(expert["task"], reported))
            by_run.setdefault((data.attrs["task"], data.attrs["policy"]), []).append(verdict)
    return {run: "; ".join(dict.fromkeys(of_run)) for run, of_run in by_run.items()}


def playground(task: str, reported: pd.DataFrame) -> float | None:
    """Playground's return for a task; None if it is not known."""
    returns = reported.set_index("task")["return"]
    return float(returns[task]) if task in returns.index else None


def _verdict(returns: Mapping[str, Any], reference: float | None) -> str:
    """Whether returns are those of an expert; `reference` is Playground's return, if known."""
    reached, highest = returns["stochastic"]["mean"], float(returns["steps"])
    better = all(_better(returns, name) for name in ("zero", "noise"))
    if better and reached >= _ENOUGH * highest:
        return "solved"
    reference = reference if reference and reference >= _SOMETHING * highest else None
    if better and reference and reached >= _ENOUGH * reference:
        return "as Playground's"
    share = (
        f"{reached / reference:.0%} of Playground's"
        if reference
        else f"{reached / highest:.0%} of the highest possible return"
    )
    return f"not an expert: {share}" + ("" if better else ", and no better than zero actions or noise")


def _better(returns: Mapping[str, Any], baseline: str) -> bool:
    """Whether the mean return exceeds the baseline's by two standard errors of the difference, paired by episode."""
    gain = np.subtract(returns["stochastic"]["each"], returns[baseline]["each"])
    return bool(gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain)))
