"""Findings on zeros: where they are, whether they depend on the state, and on the threshold, the method and the agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions.blocks import ALL, STATE
from dynamic_sparsity.settings.ablation import REFERENCE
from dynamic_sparsity.tables._finding import (
    NOT_SHOWN,
    Finding,
    answer_of,
    by_task,
    count_of,
    interval,
    not_tested,
    of_first_policy,
    percent,
    policies_in,
)

_SOME, _ROUNDING, _DRIFT, _OFF = 0.001, (1e-14, 1e-8), 0.01, 0.01


def globally(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> Finding:
    """Entries of J_s that are zero in every sample."""
    question = "Is some of the causal graph absent in every state?"
    main = _main(stores)
    zeros = {task: int(data.global_zeros.sel(block=STATE)) for task, data in main.items()}
    shares = {task: zeros[task] / float(data.entries.sel(block=STATE)) for task, data in main.items()}
    holds: dict[str, bool | None] = {task: count > 0 for task, count in zeros.items()}
    largest = max(shares, key=lambda task: shares[task])
    reported = paper["table1"].set_index("task").zeros_J_s
    in_paper = [task for task in zeros if task in reported.index]
    agree = [task for task in in_paper if zeros[task] == int(reported[task])]
    differ = {task: f"{zeros[task]} here, {int(reported[task])} in the paper" for task in in_paper if task not in agree}
    return Finding(
        question,
        answer_of(holds.values()),
        f"In {count_of(holds)} some entries of J_s are zero in every step; they are at most {percent(shares[largest])} of"
        f" its entries ({largest}).",
        by_task({task: f"{zeros[task]} entries, {percent(shares[task])}" for task in zeros}),
        f"Every step under {policies_in(main)}: {_steps(main)}. Yes: in all tasks; no: in none.",
        f"Table 1 agrees in {len(agree)} of {len(in_paper)} tasks." + (f" {by_task(differ)}" if differ else ""),
    )


def on_state(stores: Sequence[xr.Dataset]) -> Finding:
    """The share of all zeros that depend on the state."""
    main = _main(stores)
    shares = {task: state_dependent(data) for task, data in main.items()}
    holds = {task: None if np.isnan(share) else share > _SOME for task, share in shares.items()}
    patterns = of_first_policy(stores, "patterns")
    known = [share for share in shares.values() if share == share]
    return Finding(
        "Does it depend on the state which entries are zero?",
        answer_of(holds.values()),
        f"In {count_of(holds)} entries are zero in some states and not in others; between {percent(min(known))} and"
        f" {percent(max(known))} of all zeros are of this kind."
        if known
        else "No entry is ever zero.",
        by_task({task: _spread(main[task], share, patterns.get(task)) for task, share in shares.items()}),
        f"It holds in a task if more than {percent(_SOME)} of its zeros are in entries that are not zero in every step."
        " Intervals: episodes are resampled within study seeds.",
        "Figures 4 and 5 show it for single episodes; the paper gives no share.",
    )


def on_threshold(stores: Sequence[xr.Dataset]) -> Finding:
    """Mean sparsity over the range of thresholds that separates rounding from derivatives."""
    main = of_first_policy(stores, "summary")
    drifts = {}
    for task, data in main.items():
        swept = data.mean_sparsity.sel(block=ALL)
        swept = swept.sortby("threshold").sel(threshold=slice(*_ROUNDING))
        drifts[task] = float(swept.max() - swept.min()) if swept.sizes["threshold"] > 1 else np.nan
    if np.isnan(list(drifts.values())).all():
        return not_tested("Does the threshold matter?", "sparsity.sweep has fewer than two thresholds from 1e-14 to 1e-8")
    holds = {task: None if np.isnan(drift) else drift > _DRIFT for task, drift in drifts.items()}
    worst = max(drifts, key=lambda task: drifts[task] if drifts[task] == drifts[task] else -1)
    return Finding(
        "Does the threshold matter?",
        answer_of(holds.values()),
        f"Between thresholds of {_ROUNDING[0]:g} and {_ROUNDING[1]:g}, mean sparsity moves by at most"
        f" {100 * drifts[worst]:.2g} percentage points ({worst}).",
        by_task({task: f"{100 * drift:.2g} points" for task, drift in drifts.items()}),
        f"It matters in a task if mean sparsity moves by more than {100 * _DRIFT:g} percentage point over these thresholds.",
        "The paper uses 1e-12 only.",
    )


def on_method(stores: Sequence[xr.Dataset]) -> Finding:
    """Values and zeros of the methods, next to central differences of the same step."""
    question = "Does it matter how a step is differentiated?"
    sampled = [data for data in stores if data.attrs["kind"] == "ablation"]
    if not sampled:
        return not_tested(question, "ablation.tasks is empty")
    worst: dict[str, list[float]] = {}
    zeros: dict[str, list[float]] = {}
    for data in sampled:
        disagreeing = data.disagreeing.sel(threshold=data.threshold.min())
        for pair in np.flatnonzero(data.reference.values == REFERENCE):
            way = str(data.way.values[pair])
            worst.setdefault(way, []).append(float(data.off_1[pair]))
            zeros.setdefault(way, []).append(float(disagreeing[pair]))
    holds = {way: max(values) > _OFF for way, values in worst.items()}
    best = min(worst, key=lambda way: max(worst[way]))
    wrong = [way for way, is_off in holds.items() if is_off]
    return Finding(
        question,
        "yes" if wrong and best not in wrong else answer_of(holds.values()),
        f"{best} is off by more than 1 % in at most {percent(max(worst[best]))} of the smooth steps"
        + (f"; {', '.join(wrong)} in up to {percent(max(max(worst[way]) for way in wrong))}." if wrong else "."),
        "; ".join(
            f"{way}: off in {percent(min(values))} to {percent(max(values))} of the smooth steps, zeros differ in"
            f" {percent(min(zeros[way]))} to {percent(max(zeros[way]))} of the entries"
            for way, values in worst.items()
        )
        + f" (range over {len(sampled)} tasks and policies).",
        "Central differences of the same step, at steps where two widths agree. A method is off if its largest error exceeds"
        f" 1 % of the step's largest entry; it matters if a method is off in more than {percent(_OFF)} of these steps.",
        "The paper differentiates all iterations of the solver (here `unrolled`).",
    )


def on_agent(stores: Sequence[xr.Dataset]) -> Finding:
    """Mean sparsity under each policy of a task."""
    question = "Does it matter who acts?"
    of_task: dict[str, list[xr.Dataset]] = {}
    for data in stores:
        if data.attrs["kind"] == "summary":
            of_task.setdefault(data.attrs["task"], []).append(data.sel(threshold=data.attrs["threshold"], block=ALL))
    several = {task: group for task, group in of_task.items() if len(group) > 1}
    if not several:
        return not_tested(question, "only one policy acts")
    holds = {task: _apart(group) for task, group in several.items()}
    values = {
        task: ", ".join(
            f"{data.attrs['policy']} {float(data.mean_sparsity):.3g}"
            f"{interval(float(data.mean_sparsity_low), float(data.mean_sparsity_high))}"
            for data in group
        )
        for task, group in several.items()
    }
    answer = answer_of(holds.values())
    return Finding(
        question,
        answer,
        "No interval of mean sparsity is known, so policies cannot be told apart."
        if answer == NOT_SHOWN
        else f"In {count_of(holds)} the mean sparsity differs between policies.",
        by_task(values),
        "It differs if the intervals of two policies, from resampling episodes, do not overlap.",
        "The paper uses experts only.",
    )


def _main(stores: Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    return {task: data.sel(threshold=data.attrs["threshold"]) for task, data in of_first_policy(stores, "summary").items()}


def _steps(main: Mapping[str, xr.Dataset]) -> str:
    counts = sorted({int(data.steps) for data in main.values()})
    return f"{counts[0]:,} steps a task" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} steps a task"


def state_dependent(main_summary: xr.Dataset) -> float:
    """Of all zeros in all steps, the share in entries that are not always zero; NaN if nothing is ever zero."""
    total = float(main_summary.zero_fraction.sum())
    return 1 - float(main_summary.always_zero.sum()) / total if total else np.nan


def _spread(main_summary: xr.Dataset, share: float, patterns: xr.Dataset | None) -> str:
    everything = main_summary.sel(block=ALL)
    low, high = float(everything.mean_sparsity_low), float(everything.mean_sparsity_high)
    sparsity = f"sparsity {float(everything.mean_sparsity):.3g}{interval(low, high)}"
    of_zeros = "no zeros" if share != share else f"{percent(share)} of the zeros"
    return f"{of_zeros}, {sparsity}" + (f", {_patterns(patterns)}" if patterns is not None else "")


def _patterns(patterns: xr.Dataset) -> str:
    """How many patterns there are; two are one bit, so their zeros are told."""
    zeros = patterns.pattern_zero.sum(("out_dim", "in_dim")).values.tolist()
    if len(zeros) != 2:
        return f"{len(zeros)} pattern{'' if len(zeros) == 1 else 's'}"
    differs = patterns.pattern_zero.isel(pattern=0) != patterns.pattern_zero.isel(pattern=1)
    columns = [str(name) for name in patterns.in_dim.values[differs.any("out_dim").values]]
    listed = ", ".join(columns[:4]) + (f" and {len(columns) - 4} others" if len(columns) > 4 else "")
    return f"2 patterns, of {zeros[0]} or {zeros[1]} zeros, which differ in columns {listed}"


def _apart(group: Sequence[xr.Dataset]) -> bool | None:
    """Whether any two intervals do not overlap; None if any is unknown."""
    ends = np.array([[float(data.mean_sparsity_low), float(data.mean_sparsity_high)] for data in group])
    return None if np.isnan(ends).any() else bool(ends[:, 0].max() > ends[:, 1].min())
