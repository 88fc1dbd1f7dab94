"""Whether a zero derivative means that an input has no influence.

A derivative describes infinitely small changes. Here a sample of the recorded steps was repeated in float64, each time
with one input moved by a multiple of its standard deviation over the recorded steps, in both directions. Everything
else, the constraint solver's warm start included, stayed as recorded. Moved states need not be reachable. Controls that
leave their range are clamped by the simulator. Inputs that never vary are not moved and do not count.

A zero is an entry of the Jacobian below the study's threshold. It acts if its output changes by more than the bound of
rounding (`interventions.rounding`, 1e-9 by default, times 1 + |output|) in either direction. The answer for a task is
"yes" if no zero acts at any tested move, "no" if at least half of them do, and "partly" otherwise.

- `move`: size of the move in standard deviations; 0 stands for the derivative itself. The move of 1e-6 is a reference:
  there the derivative must be right, except at kinks.
- `steps`, `zeros`: numbers of sampled steps, and of zeros in them.
- `acting`: share of the zeros that act at this move; `acting_free`, `acting_contact`, `acting_limit`: the same in steps
  without an active constraint, with an active contact, and with an active joint or tendon limit.
- `reached`: share of the zeros that act at this move or a smaller tested one. Where it first exceeds 0, the smallest
  tested move turns a zero on.
- `most_affected`: the entries that act most often while they are zero (output by input; steps in which the entry acts,
  of the steps in which it is zero).
- `weak_...`: share of the non-zero entries that are too weak to matter. Moving their input by one standard deviation
  moves their output by less than this share of its standard deviation: by the derivative (move 0), or by the change
  at this move, scaled to one standard deviation.
- `error_median`, `error_90`: median and 90 % quantile of the error of the derivative's prediction, relative to the
  change, over all entries and directions with a change beyond rounding.
- `own`: share of the entries of which the step's own zero mask says rightly whether they act at this move; `other`: the
  same for the masks of sampled steps of other episodes, which are the null model; `advantage`: own - other. They cover
  the entries that are zero in some sampled steps and non-zero in others.
- `near_rounding`: share of the zeros whose change is less than a factor of 100 away from the bound of rounding.
  Shares of zeros that act could depend on the bound by at most as much.
- `repeat_change`: largest change of an output, relative to 1 + |output|, when a step was repeated with nothing moved.
- `nonfinite`: share of the entries with a varying input that are not finite. They count nowhere else.

Shares and quantiles are means over episodes; `_low` and `_high` are the ends of an interval from resampling episodes
within study seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.settings.interventions import REFERENCE
from dynamic_sparsity.tables._shares import with_interval

_LISTED = 3
_ENDS = ("", "_low", "_high")
_IN_STEPS = {"free": "in free steps", "contact": "in contact", "limit": "at a limit"}


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task, policy and move, from the intervention stores."""
    del paper
    return pd.DataFrame([row for data in stores for row in _rows(data)])


def _rows(data: xr.Dataset) -> list[dict[str, object]]:
    whole = data.sel(condition="all")
    known = {"steps": int(data.steps), "zeros": int(whole.zeros), "nonfinite": float(data.nonfinite)}
    run = {"task": data.attrs["task"], "policy": data.attrs["policy"]}
    derivative = {**run, "move": 0.0, **known, **_weak(data.weak)}
    return [derivative, *({**run, "move": float(size), **known, **_of_size(data.sel(size=size))} for size in data["size"])]


def _of_size(data: xr.Dataset) -> dict[str, object]:
    """The values of one size of the move."""
    row: dict[str, object] = {}
    whole = data.sel(condition="all")
    for name in ("acting", "reached"):
        row |= {f"{name}{end}": float(whole[f"{name}{end}"]) for end in _ENDS}
    for condition in _IN_STEPS:
        row |= {f"acting_{condition}{end}": float(data[f"acting{end}"].sel(condition=condition)) for end in _ENDS}
    row |= {"most_affected": _most_affected(data), **_weak(data.weak_moved)}
    for name in ("error_median", "error_90", "own", "other", "advantage"):
        row |= {f"{name}{end}": float(data[f"{name}{end}"]) for end in _ENDS}
    return row | {"near_rounding": float(data.near_rounding), "repeat_change": float(data.repeat_change)}


def _weak(shares: xr.DataArray) -> dict[str, object]:
    return {f"weak_{level:g}": float(shares.sel(weak_share=level)) for level in shares.weak_share.values}


def _most_affected(data: xr.Dataset) -> str:
    """The entries that act most often while they are zero, with the numbers of steps."""
    acting, zeros = data.entry_acting.transpose("out_dim", "in_dim").values, data.entry_zeros.values
    order = np.argsort(-acting, axis=None, kind="stable")[:_LISTED]
    places = [place for place in zip(*np.unravel_index(order, acting.shape), strict=True) if acting[place]]
    return "; ".join(
        f"{data.out_dim.values[i]} by {data.in_dim.values[j]} ({acting[i, j]} of {zeros[i, j]})" for i, j in places
    )


def sentences(frame: pd.DataFrame) -> list[str]:
    """The answer over all tasks, then what was found for each task and policy."""
    runs = [rows for _, rows in frame.groupby(["task", "policy"], sort=False)]
    answers = [_answer(rows) for rows in runs]
    overall = answers[0] if len(set(answers)) == 1 else "partly"
    counts = ", ".join(f"{answer} in {answers.count(answer)}" for answer in dict.fromkeys(sorted(answers)))
    first = f"Overall: {overall}. Of {len(runs)} tasks and policies, the answer is {counts}."
    return [first, *(sentence for rows, answer in zip(runs, answers, strict=True) for sentence in _of_run(rows, answer))]


def _answer(rows: pd.DataFrame) -> str:
    reached = rows.iloc[-1].reached
    if np.isnan(reached):
        return "not shown"
    return "yes" if reached == 0 else "no" if reached >= 0.5 else "partly"


def _of_run(rows: pd.DataFrame, answer: str) -> list[str]:
    last = rows.iloc[-1]
    name = f"{last.task}, {last.policy}"
    return [
        f"{name}: {answer}. {_zeros(rows)}",
        f"{name}, weak entries: {_weakness(rows)}",
        f"{name}, first order: {_first_order(rows)}",
        f"{name}, masks: {_masks(last)}",
    ]


def _zeros(rows: pd.DataFrame) -> str:
    last = rows.iloc[-1]
    if np.isnan(last.reached):
        return "No sampled step has a zero entry whose input varies."
    moves = f"a move of up to {last.move:g} standard deviation{'s' if last.move > 1 else ''}"
    if last.reached == 0:
        return f"None of the {last.zeros} zeros in {last.steps} steps acts at {moves}."
    groups = [
        f"{last[f'acting_{condition}']:.1%} {words}"
        for condition, words in _IN_STEPS.items()
        if not np.isnan(last[f"acting_{condition}"])
    ]
    turning = rows[(rows.move > REFERENCE) & (rows.reached > 0)].iloc[0]
    return (
        f"{with_interval(last, 'reached')} of the zeros act at {moves}; at {last.move:g}: {', '.join(groups)}. The smallest"
        f" tested move that turns a zero on is {turning.move:g} ({turning.reached:.1%} of the zeros). Most often:"
        f" {last.most_affected}."
    )


def _weakness(rows: pd.DataFrame) -> str:
    derivative, last = rows.iloc[0], rows.iloc[-1]
    levels = [name for name in rows.columns if name.startswith("weak_")]
    if derivative[levels].isna().all():
        return "no non-zero entry."
    parts = [f"{derivative[name]:.1%} below {name.removeprefix('weak_')} ({last[name]:.1%})" for name in levels]
    return (
        "influence of non-zero entries in standard deviations, by the derivative (and by a move of"
        f" {last.move:g}): {', '.join(parts)}."
    )


def _first_order(rows: pd.DataFrame) -> str:
    known = rows[rows.error_median.notna()]
    if known.empty:
        return "no output changes."
    parts = [f"{row['move']:g}: {row['error_median']:.2g} ({row['error_90']:.2g})" for row in known.to_dict("records")]
    return (
        f"median error (90 % quantile) of the derivative's prediction, relative to the change, by move: {', '.join(parts)}."
    )


def _masks(last: pd.Series) -> str:
    if np.isnan(last.advantage):
        return "no entry is zero in some sampled steps and non-zero in others."
    apart = "" if np.isnan(last.advantage_low) else f" ({last.advantage_low:+.1%} to {last.advantage_high:+.1%})"
    return (
        f"the step's own mask is right about {last.own:.1%} of the entries that switch, masks of other episodes about"
        f" {last.other:.1%}, a difference of {last.advantage:+.1%}{apart}."
    )
