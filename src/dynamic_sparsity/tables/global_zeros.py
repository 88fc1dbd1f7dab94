"""Entries of the Jacobian that are zero in every sample, compared with the paper's Table 1.

`verdict` compares the counts. The paper's data come from trained experts; `policy` says which policy produced this
study's data. `zeros_J_s_when_free` counts entries that are zero in every step without an active constraint. If this
count exceeds `zeros_J_s`, some entries are zero without constraints and become non-zero through a constraint.

Where the paper counts any such zeros, it counts (state size - 1) for each ignorable coordinate, such as a root
translation. Moving the robot along such a coordinate changes nothing but the coordinate itself. This interpretation is
ours.
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
    main_summary = data.sel(threshold=data.attrs["threshold"])
    zeros, free_zeros = (main_summary[name].sel(block=STATE).item() for name in ("global_zeros", "free_global_zeros"))
    state, controls = data.sizes["out_dim"], data.sizes["in_dim"] - data.sizes["out_dim"]
    task = data.attrs["task"]
    reported = paper.loc[task] if task in paper.index else None
    return {
        "task": task,
        "policy": data.attrs["policy"],
        "state_size": state,
        "action_size": controls,
        "zeros_J_s": zeros,
        "percent_J_s": 100 * zeros / main_summary.entries.sel(block=STATE).item(),
        "zeros_J_a": main_summary.global_zeros.sel(block=ACTION).item(),
        "paper_zeros_J_s": None if reported is None else int(reported.zeros_J_s),
        "paper_percent_J_s": None if reported is None else float(reported.percent_J_s),
        "paper_zeros_J_a": None if reported is None else int(reported.zeros_J_a),
        "zeros_J_s_when_free": free_zeros if main_summary.free_steps > 0 else None,
        "steps": main_summary.steps.item(),
        "free_steps": main_summary.free_steps.item(),
        "verdict": verdict(zeros, main_summary.global_zeros.sel(block=ACTION).item(), reported),
        "explanation": explanation(main_summary, reported),
    }


def verdict(zeros: int, action_zeros: int, paper: pd.Series | None) -> str:
    """How the counts in J_s and J_a compare with the paper's; `paper` is the task's row of Table 1, if it has one."""
    if paper is None:
        return "not in the paper"
    differences = [
        f"{abs(measured - int(reported))} {'more' if measured > reported else 'fewer'} in {block}"
        for block, measured, reported in ((STATE, zeros, paper.zeros_J_s), (ACTION, action_zeros, paper.zeros_J_a))
        if measured != reported
    ]
    return f"differs: {', '.join(differences)}" if differences else "agrees"


def explanation(main_summary: xr.Dataset, paper: pd.Series | None) -> str:
    """Which entries are always zero, which only without constraints, and why the paper's counts may differ.

    `main_summary` is a summary store at the study's threshold; `paper` is the task's row of Table 1, if it has one.
    """
    zeros = main_summary.global_zeros
    sentences = [*_always_zero(main_summary), *_broken(main_summary)]
    if paper is not None:
        more = zeros.sel(block=STATE) > paper.zeros_J_s or zeros.sel(block=ACTION) > paper.zeros_J_a
        fewer = zeros.sel(block=STATE) < paper.zeros_J_s or zeros.sel(block=ACTION) < paper.zeros_J_a
        sentences += _why_more(main_summary) if more else []
        sentences += _why_fewer(main_summary) if fewer else []
    return " ".join(sentences)


def _always_zero(main_summary: xr.Dataset) -> list[str]:
    columns = _columns(main_summary.always_zero)
    return [f"Always zero: {_listed(columns)}."] if columns else []


def _broken(main_summary: xr.Dataset) -> list[str]:
    """Entries that are zero in every step without an active constraint, but not in all steps."""
    count = int(main_summary.broken_entry.sum())
    if not count:
        return []
    loaded_steps = main_summary.broken_loaded[np.argsort(-main_summary.broken_loaded.values, kind="stable")]
    pairs = zip(loaded_steps.constraint.values, loaded_steps.values, strict=True)
    loads = [f"{name} bears a force in {steps} of them" for name, steps in pairs if steps]
    return [
        f"{count} more entries of [J_s J_a] are zero in every free step ({_listed(_columns(main_summary.broken_entry))});"
        f" at least one of these is non-zero in {int(main_summary.broken_steps)} of {int(main_summary.steps)} steps"
        + (f": {_listed(loads, 4)}." if loads else ".")
    ]


def _why_more(main_summary: xr.Dataset) -> list[str]:
    inactive = [str(name) for name in main_summary.constraint.values[main_summary.active_steps.values == 0]]
    if inactive:
        return [f"Never active in these data, but perhaps in the paper's: {_listed(inactive)}."]
    return ["Every constraint was active at some time; the paper's agents may have met other combinations of them."]


def _why_fewer(main_summary: xr.Dataset) -> list[str]:
    if not main_summary.free_steps:
        return ["No step of these data is free of active constraints, so none shows what would be zero without them."]
    fraction = main_summary.zero_fraction
    largest = fraction.where(~main_summary.always_zero & (fraction > 0)).max("out_dim")
    pairs = zip(largest.in_dim.values, largest.values, strict=True)
    shares = [f"{name} {100 * share:.3g} %" for name, share in pairs if share > 0]
    if not shares:
        return ["No other entry is ever zero."]
    return [f"Largest share of zeros of an entry that is not always zero, by column: {_listed(shares)}."]


def _columns(entries: xr.DataArray) -> list[str]:
    """How many entries of each column are True, in words; columns without any are left out."""
    per_column = entries.sum("out_dim")
    pairs = zip(per_column.in_dim.values, per_column.values, strict=True)
    return [f"{count} in column {name}" for name, count in pairs if count]


def _listed(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} others" if len(names) > most else "")
