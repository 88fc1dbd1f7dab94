"""Is sparsity clustered in time? Four null models for every task and policy.

A fifth one, constraints shifted against the mask, is in table `temporal`.

- `null_model`, `effect`: what the zeros are compared with, and an effect size, as follows.
- `shuffled times`: switches of the pattern, divided by the number expected if the steps of each episode were shuffled.
  1: no persistence; below 1: patterns persist.
- `memoryless durations`: variance of the durations of completed runs, divided by that of a two-state Markov chain with
  the same switches. 1: memoryless; above 1: durations are too variable; below 1: too regular.
- `shifted entries`: mean correlation of the switches of two entries. 0: entries switch independently, as if each
  entry's series were shifted in time on its own; 1: all switch together.
- `equal phase`: agreement of a step's zeros with those of another episode at the same phase of the gait, corrected for
  chance. 0: no better than a random step; 1: equal. It is missing if the autocorrelation of the pattern has no peak
  that rises by 0.2, so the pattern has no period.
- `low`, `high`: ends of the interval of the effect, from resampling episodes within study seeds.
- `no_effect`: the effect size that the null model expects. `null_low`, `null_high`: interval of the effect under it.
- `p_value`: two-sided; the observed effect counts as one of the draws. `p_holm`: corrected by Holm's method for all
  rows of this null model.
- `answer`: from `p_holm` at 0.05 and the sign of the effect; "partly" if `p_holm` is below 0.05 and the interval
  includes the effect that the null model expects, so that episodes differ. "not shown" does not mean that there is no
  effect. "not tested" means that the data cannot tell: no entry switches, or there is no period.
- `details`: for times, the number of switches of the pattern in all episodes; for durations, observed (and expected)
  shares of one-step runs and of runs beyond the 95 % quantile of the memoryless law; for entries, how many switch and
  how many different series they have; for the phase, the period in control steps, by study seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.tables.model_comparisons import LEVEL, holm

_ANSWERS = {
    "shuffled times": ("yes: patterns persist", "no: patterns switch more often than by chance"),
    "memoryless durations": ("yes: too regular", "yes: too variable"),
    "shifted entries": ("no: entries avoid each other", "yes: entries switch together"),
    "equal phase": ("no: worse than a random step", "yes: zeros repeat with the phase"),
}
"""By null model: the answer for a significant effect below and above what the null model expects."""
_QUESTIONS = {
    "shuffled times": "Do patterns persist?",
    "memoryless durations": "Do durations have a memory?",
    "shifted entries": "Do entries switch together?",
    "equal phase": "Do zeros repeat with the phase of a gait?",
}
_COLUMNS = [
    *("task", "policy", "null_model", "effect", "low", "high", "no_effect", "null_low", "null_high"),
    *("p_value", "p_holm", "answer", "details"),
]


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per null model, task and policy, from the clustering stores."""
    del paper
    names = [str(name) for name in stores[0].null_model.values]
    frame = pd.DataFrame([_row(data, name) for name in names for data in stores])
    for rows in frame.groupby("null_model").groups.values():
        frame.loc[rows, "p_holm"] = holm(frame.p_value[rows].to_numpy())
    frame["answer"] = [_answer(row) for _, row in frame.iterrows()]
    return frame[_COLUMNS]


def sentences(frame: pd.DataFrame) -> list[str]:
    """For each null model and policy: yes, partly or not shown, and the range of the effect over tasks."""
    pairs = frame[["null_model", "policy"]].drop_duplicates().itertuples(index=False)
    return [_sentence(name, policy, frame[(frame.null_model == name) & (frame.policy == policy)]) for name, policy in pairs]


def _row(data: xr.Dataset, name: str) -> dict[str, object]:
    null = data.sel(null_model=name)
    values = {field: null[field].item() for field in ("effect", "low", "high", "null_low", "null_high", "p_value")}
    return {
        "task": data.attrs["task"],
        "policy": data.attrs["policy"],
        "null_model": name,
        **values,
        "no_effect": null.expected.item(),
        "details": _details(data, name),
    }


def _details(data: xr.Dataset, name: str) -> str:
    if name == "memoryless durations" and data.compared_runs > 0:
        short, long = (
            f"{float(data[f'{kind}_observed']):.1%} ({float(data[f'{kind}_expected']):.1%})" for kind in ("short", "long")
        )
        return f"one step: {short}; long: {long}"
    if name == "shifted entries":
        return f"{int(data.switching_entries)} entries switch, with {int(data.distinct_series)} different series"
    if name == "equal phase":
        periods = data.period.values
        return "; ".join("not periodic" if np.isnan(period) else f"period {period:.0f}" for period in periods)
    return f"{int(data.switches)} switches" if name == "shuffled times" else ""


def _answer(row: pd.Series) -> str:
    if np.isnan(row.p_value):
        return "not tested"
    if row.p_holm >= LEVEL:
        return "not shown"
    if row.low <= row.no_effect <= row.high:
        return "partly: the interval includes no effect"
    return _ANSWERS[row.null_model][int(row.effect > row.no_effect)]


def _sentence(name: str, policy: str, rows: pd.DataFrame) -> str:
    tested = rows[rows.answer != "not tested"]
    start = f"{_QUESTIONS[name]} Policy {policy}: "
    if not len(tested):
        return f"{start}not tested; no task has data that could tell."
    shown = tested[tested.answer.str.startswith("yes")]
    verdict = "not shown" if not len(shown) else "yes" if len(shown) == len(tested) else "partly"
    ordered = tested.sort_values("effect")
    ends = [f"{row.effect:.2g} in {row.task}" for _, row in ordered.iloc[sorted({0, len(ordered) - 1})].iterrows()]
    return (
        f"{start}{verdict}, in {len(shown)} of {len(tested)} tasks that could tell ({len(rows)} tasks in all). Effect:"
        f" {' to '.join(ends)}; {rows.no_effect.max():g} without the effect."
    )
