"""Entries of the Jacobian that are zero in every sample, beside the paper's Table 1.

The verdict compares the counts.

The paper's data come from trained experts; the policy of each row says where ours come from. "Zeros when free"
counts only steps without an active constraint: zeros that are there and not among all steps' are structure that some
constraint breaks.

Each non-zero count of the paper equals (state - 1) per ignorable coordinate, such as a root translation: moving
the robot along it changes nothing but that coordinate itself. That reading is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions.blocks import ACTION, STATE


def build(summaries: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per task and policy, from the summary stores."""
    reported = paper["table1"].set_index("task")
    return pd.DataFrame([_row(data, reported) for data in summaries])


def _row(data: xr.Dataset, paper: pd.DataFrame) -> dict[str, object]:
    here = data.sel(threshold=data.attrs["threshold"])
    zeros, free = (here[name].sel(block=STATE).item() for name in ("global_zeros", "free_global_zeros"))
    state, controls = data.sizes["out_dim"], data.sizes["in_dim"] - data.sizes["out_dim"]
    task = data.attrs["task"]
    known = paper.loc[task] if task in paper.index else None
    return {
        "task": task,
        "policy": data.attrs["policy"],
        "state_size": state,
        "action_size": controls,
        "zeros_J_s": zeros,
        "percent_J_s": 100 * zeros / here.entries.sel(block=STATE).item(),
        "zeros_J_a": here.global_zeros.sel(block=ACTION).item(),
        "paper_zeros_J_s": None if known is None else int(known.zeros_J_s),
        "paper_percent_J_s": None if known is None else float(known.percent_J_s),
        "paper_zeros_J_a": None if known is None else int(known.zeros_J_a),
        "zeros_J_s_when_free": free if here.free_steps > 0 else None,
        "steps": here.steps.item(),
        "free_steps": here.free_steps.item(),
        "verdict": verdict(zeros, here.global_zeros.sel(block=ACTION).item(), known),
        "explanation": explanation(here, known),
    }


def verdict(zeros: int, action_zeros: int, paper: pd.Series | None) -> str:
    """Whether the counts in J_s and J_a are the paper's."""
    if paper is None:
        return "not in the paper"
    differences = [
        f"{abs(ours - int(theirs))} {'more' if ours > theirs else 'fewer'} in {block}"
        for block, ours, theirs in ((STATE, zeros, paper.zeros_J_s), (ACTION, action_zeros, paper.zeros_J_a))
        if ours != theirs
    ]
    return f"differs: {', '.join(differences)}" if differences else "agrees"


def explanation(here: xr.Dataset, paper: pd.Series | None) -> str:
    """What is zero, what would be but for a constraint, and, where the paper counts more zeros or fewer, why it may."""
    zeros = here.global_zeros
    sentences = [*_always_zero(here), *_broken(here)]
    if paper is not None:
        more = zeros.sel(block=STATE) > paper.zeros_J_s or zeros.sel(block=ACTION) > paper.zeros_J_a
        fewer = zeros.sel(block=STATE) < paper.zeros_J_s or zeros.sel(block=ACTION) < paper.zeros_J_a
        sentences += _why_more(here) if more else []
        sentences += _why_fewer(here) if fewer else []
    return " ".join(sentences)


def _always_zero(here: xr.Dataset) -> list[str]:
    columns = _columns(here.always_zero)
    return [f"Always zero: {_listed(columns)}."] if columns else []


def _broken(here: xr.Dataset) -> list[str]:
    count = int(here.broken_entry.sum())
    if not count:
        return []
    by = here.broken_loaded[np.argsort(-here.broken_loaded.values, kind="stable")]
    named = [f"{name} bears a force in {n} of them" for name, n in zip(by.constraint.values, by.values, strict=True) if n]
    return [
        f"{count} more entries of [J_s J_a] are zero in every free step ({_listed(_columns(here.broken_entry))});"
        f" one or more of these is not zero in {int(here.broken_steps)} of {int(here.steps)} steps"
        + (f": {_listed(named, 4)}." if named else ".")
    ]


def _why_more(here: xr.Dataset) -> list[str]:
    silent = [str(name) for name in here.constraint.values[here.active_steps.values == 0]]
    if silent:
        return [f"Never active in these data, perhaps in the paper's: {_listed(silent)}."]
    return ["Every constraint was active at some time; the paper's agents may have met other combinations."]


def _why_fewer(here: xr.Dataset) -> list[str]:
    if not here.free_steps:
        return ["No step of these data is free of active constraints, so none shows what holds without them."]
    rare = here.zero_fraction.where(~here.always_zero & (here.zero_fraction > 0)).max("out_dim")
    named = [f"{name} {100 * share:.3g} %" for name, share in zip(rare.in_dim.values, rare.values, strict=True) if share > 0]
    if not named:
        return ["No other entry is ever zero."]
    return [f"Largest shares of zeros in columns that are not always zero: {_listed(named)}."]


def _columns(entries: xr.DataArray) -> list[str]:
    """Column by column, how many of its entries are set."""
    per_column = entries.sum("out_dim")
    return [f"{n} in column {name}" for name, n in zip(per_column.in_dim.values, per_column.values, strict=True) if n]


def _listed(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} others" if len(names) > most else "")
