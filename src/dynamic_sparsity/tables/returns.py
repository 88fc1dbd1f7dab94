"""Returns: whether each expert is one, beside its own baselines and what Playground's PPO reaches.

Evaluated on the expert's own episodes (their number is in `evaluation_episodes`), mean and standard deviation over them:
the policy sampled as it was trained (stochastic), its mode (deterministic), and with coloured draws of exponent 0.5
(coloured); zero actions and noise are the baselines. `rollouts` is the mean return of the episodes that this study
analyses, of `steps` steps each. All returns are sums of undiscounted rewards over an episode; no task allows more than one
per step.

Playground's returns are what a third party (the benchmark notes of SLM-Lab) read by eye off the training curves of its PPO
in arXiv 2502.08844, which gives no numbers (resources/paper/README.md). The notes give next to nothing for BallInCup and
HopperHop.

The verdict: "solved" at 80 % of the highest possible return or more, "as Playground's" at 80 % of what that PPO reaches
where that is a tenth of the highest or more, otherwise not an expert, with its share; neither counts where the mean is not
above those of zero actions and noise by two standard errors of the difference, episode by episode: all start from the same
resets.
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
    """One row per rollout store: task, policy and seed; the evaluation's columns only for experts."""
    return pd.DataFrame([_row(data, paper["playground_returns"]) for data in rollouts])


def _row(data: xr.Dataset, reported: pd.DataFrame) -> dict[str, object]:
    here = data.reward.fillna(0).sum("time").values
    task, expert = data.attrs["task"], data.attrs.get("expert")
    return {
        "task": task,
        "policy": data.attrs["policy"],
        "seed": data.attrs["seed"],
        "steps": data.sizes["time"],
        "rollouts": float(here.mean()),
        "rollouts_std": float(here.std(ddof=1)) if len(here) > 1 else np.nan,
        **(evaluation(expert, reported) if expert else {"playground": playground(task, reported)}),
    }


def evaluation(expert: Mapping[str, Any], reported: pd.DataFrame) -> dict[str, Any]:
    """What an expert's provenance says of its returns, beside Playground's, with a verdict."""
    row: dict[str, Any] = {}
    for name in EVALUATED:
        row |= {name: expert["returns"][name]["mean"], f"{name}_std": expert["returns"][name]["std"]}
    known = playground(expert["task"], reported)
    return {
        **row,
        "playground": known,
        "verdict": _verdict(expert["returns"], known),
        "expert_seed": expert["seed"],
        "best_step": expert["steps"],
        "trained_steps": expert.get("trained_steps"),
        "minutes": expert.get("minutes"),
        "evaluation_episodes": expert["returns"]["episodes"],
        "hardware": expert["hardware"],
    }


def verdicts(stores: Iterable[xr.Dataset], reported: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Whether the experts that acted are such, by (task, policy), from the rollout stores among `stores`."""
    found: dict[tuple[str, str], list[str]] = {}
    for data in stores:
        if data.attrs["kind"] == "rollouts" and (expert := data.attrs.get("expert")):
            verdict = _verdict(expert["returns"], playground(expert["task"], reported))
            found.setdefault((data.attrs["task"], data.attrs["policy"]), []).append(verdict)
    return {run: "; ".join(dict.fromkeys(said)) for run, said in found.items()}


def playground(task: str, reported: pd.DataFrame) -> float | None:
    """Playground's return for a task, where one is known."""
    known = reported.set_index("task")["return"]
    return float(known[task]) if task in known.index else None


def _verdict(returns: Mapping[str, Any], known: float | None) -> str:
    reached, highest = returns["stochastic"]["mean"], float(returns["steps"])
    better = all(_better(returns, name) for name in ("zero", "noise"))
    if better and reached >= _ENOUGH * highest:
        return "solved"
    known = known if known and known >= _SOMETHING * highest else None
    if better and known and reached >= _ENOUGH * known:
        return "as Playground's"
    share = f"{reached / known:.0%} of Playground's" if known else f"{reached / highest:.0%} of the highest possible return"
    return f"not an expert: {share}" + ("" if better else ", and no better than zero actions or noise")


def _better(returns: Mapping[str, Any], baseline: str) -> bool:
    """Whether the expert earns more than the baseline by two standard errors of the difference, paired by episode."""
    gain = np.subtract(returns["stochastic"]["each"], returns[baseline]["each"])
    return bool(gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain)))
