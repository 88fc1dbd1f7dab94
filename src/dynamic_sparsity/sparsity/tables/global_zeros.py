"""Entries of the Jacobian that are zero in every sample, beside the paper's Table 1.

The paper's data come from trained experts; the policy of each row says where ours come from. "Zeros when free"
counts only steps without an active constraint: zeros that are there and not in the column before it are
structure that some constraint breaks.

Each non-zero count of the paper equals (state - 1) per ignorable coordinate, such as a root translation: moving
the robot along it changes nothing but that coordinate itself. That reading is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.sparsity.zeros import ACTION, STATE


def build(summaries: Sequence[xr.Dataset], paper: pd.DataFrame) -> pd.DataFrame:
    """One row per task and policy, from the summary stores."""
    reported = paper.set_index("task")
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
        "verdict": _verdict(zeros, here.global_zeros.sel(block=ACTION).item(), known),
        "explanation": " ".join([*_always_zero(here), *_broken(here), *_never_active(here, zeros, known)]),
    }


def _verdict(zeros: int, action_zeros: int, paper: pd.Series | None) -> str:
    if paper is None:
        return "not in the paper"
    differences = [
        f"{abs(ours - int(theirs))} {'more' if ours > theirs else 'fewer'} in {block}"
        for block, ours, theirs in ((STATE, zeros, paper.zeros_J_s), (ACTION, action_zeros, paper.zeros_J_a))
        if ours != theirs
    ]
    return f"differs: {', '.join(differences)}" if differences else "agrees"


def _always_zero(here: xr.Dataset) -> list[str]:
    columns = _columns(here.always_zero)
    return [f"Always zero: {_listed(columns)}."] if columns else []


def _broken(here: xr.Dataset) -> list[str]:
    count = int(here.broken_entry.sum())
    if not count:
        return []
    steps = int(here.broken_steps)
    share = f"{steps} of {int(here.steps)} steps"
    by = here.broken_loaded[np.argsort(-here.broken_loaded.values, kind="stable")]
    named = [f"{name} bears a force in {n} of them" for name, n in zip(by.constraint.values, by.values, strict=True) if n]
    return [
        f"{count} more are zero in every free step ({_listed(_columns(here.broken_entry))});"
        f" one or more of these is not zero in {share}" + (f": {', '.join(named[:4])}" if named else "") + "."
    ]


def _never_active(here: xr.Dataset, zeros: int, paper: pd.Series | None) -> list[str]:
    """Where we find more zeros than the paper: the constraints that our data never met."""
    if paper is None or zeros <= int(paper.zeros_J_s):
        return []
    silent = [str(name) for name in here.constraint.values[here.active_steps.values == 0]]
    return [f"Never active in these data, perhaps in the paper's: {_listed(silent)}."] if silent else []


def _columns(entries: xr.DataArray) -> list[str]:
    """Column by column, how many of its entries are set."""
    per_column = entries.sum("out_dim")
    return [f"{n} in column {name}" for name, n in zip(per_column.in_dim.values, per_column.values, strict=True) if n]


def _listed(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
