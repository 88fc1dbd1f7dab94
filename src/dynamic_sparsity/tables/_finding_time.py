"""Findings on time: whether switches happen at constraint events, and how long entries stay zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

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
)
from dynamic_sparsity.tables.model_comparisons import holm

_P = 0.05


def at_events(stores: Sequence[xr.Dataset]) -> Finding:
    """Switches at steps with a constraint event, against events shifted in time."""
    events = {
        task: data.sel(event_kind="any")
        for task, data in of_first_policy(stores, "patterns").items()
        if int(data.coincidence_switches.sel(event_kind="any")) > 0
    }
    question = "Do the zeros change when contacts or limits do?"
    if not events:
        return not_tested(question, "no pattern ever changes")
    observed = {task: float(data.coincidence_observed) for task, data in events.items()}
    expected = {task: float(data.coincidence_expected) for task, data in events.items()}
    corrected = holm(np.array([float(data.coincidence_p_value) for data in events.values()]))  # NaN without any event
    holds = {
        task: bool(p_value < _P and observed[task] > expected[task]) for task, p_value in zip(events, corrected, strict=True)
    }
    shown = [task for task, held in holds.items() if held]
    words = {
        task: f"{percent(observed[task])} of {int(data.coincidence_switches)} switches, shifted events"
        f" {percent(expected[task])}{interval(100 * float(data.coincidence_low), 100 * float(data.coincidence_high), ' %')},"
        + (f" corrected p = {p_value:.2g}" if p_value == p_value else " no events")
        for (task, data), p_value in zip(events.items(), corrected, strict=True)
    }
    return Finding(
        question,
        answer_of(holds.values()),
        f"In {count_of(holds)} whose patterns change, they change at constraint events more often than by chance"
        + (
            f": {percent(min(observed[task] for task in shown))} to {percent(max(observed[task] for task in shown))} of the"
            f" changes, where chance gives {percent(min(expected[task] for task in shown))} to"
            f" {percent(max(expected[task] for task in shown))}."
            if shown
            else "."
        ),
        by_task(words),
        "Null model: the events of each episode shifted circularly in time. It holds if p <"
        f" {_P} after Holm's correction over these tasks.",
        "Figure 6 shows it for BallInCup and CheetahRun, without a null model.",
    )


def durations(stores: Sequence[xr.Dataset]) -> Finding:
    """How long entries stay zero, in steps and seconds."""
    curves = {
        task: data.sel(value="zero")
        for task, data in of_first_policy(stores, "survival").items()
        if int(data.ended_runs.sel(value="zero")) > 0
    }
    question = "How long does an entry stay zero?"
    if not curves:
        return not_tested(question, "no run of zeros ever ends")
    medians = {task: float(data["median"]) for task, data in curves.items()}
    known = {task: median for task, median in medians.items() if np.isfinite(median)}
    words = {
        task: f"median {medians[task]:.0f}{interval(float(data.median_low), float(data.median_high))} steps"
        f" ({medians[task] * data.attrs['control_timestep']:.3g} s), {percent(_spanning(data))} of the zeros last whole"
        " episodes"
        if task in known
        else f"unknown median, {percent(_spanning(data))} of the zeros last whole episodes"
        for task, data in curves.items()
    }
    short = min(known, key=lambda task: known[task]) if known else ""
    long = max(known, key=lambda task: known[task]) if known else ""
    return Finding(
        question,
        f"{known[short]:.0f} to {known[long]:.0f} steps" if known else NOT_SHOWN,
        f"A run of zeros that begins in an episode lasts {known[short]:.0f} ({short}) to {known[long]:.0f} steps"
        f" ({long}) in the median."
        if known
        else "No median is known: too few runs end.",
        by_task(words),
        "Kaplan-Meier estimates; runs cut by the end of an episode are censored, and runs that span an episode are left out."
        " Intervals: episodes are resampled within study seeds.",
        "Figure 7 has means, which table `durations` compares.",
    )


def _spanning(curve: xr.Dataset) -> float:
    total = float(curve.all_steps)
    return float(curve.spanning_steps) / total if total else np.nan
