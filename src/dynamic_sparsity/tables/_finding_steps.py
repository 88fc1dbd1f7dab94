"""Findings on symmetries, on clusters in time, on products of steps and on finite moves, from the tables that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from dynamic_sparsity.tables import clustering, horizons, interventions, zero_kinds
from dynamic_sparsity.tables._finding import (
    NO,
    NOT_SHOWN,
    PARTLY,
    YES,
    Finding,
    answer_of,
    by_task,
    count_of,
    interval,
    not_tested,
    of_first_policy,
    percent,
)

_MISSING = "its stores are missing"


def symmetries(stores: Sequence[xr.Dataset]) -> Finding:
    """Entries that are zero in every step, held against large shifts of their coordinate."""
    question = "Is every entry that is always zero a symmetry?"
    structures = of_first_policy(stores, "structure")
    if not structures:
        return not_tested(question, _MISSING)
    summaries = of_first_policy(stores, "summary")
    frame = zero_kinds.build([*(summaries[task] for task in structures), *structures.values()], {})
    rows = {row["task"]: row for row in frame.to_dict("records") if row["always_zero"]}
    if not rows:
        return not_tested(question, "no entry is always zero")
    total, certified = (int(sum(row[name] for row in rows.values())) for name in ("always_zero", "symmetries"))
    impossible = int(sum(row["impossible"] for row in rows.values()))
    return Finding(
        question,
        YES if certified == total else PARTLY if certified else NO,
        f"{certified} of {total} entries that are zero in every step stay zero when their coordinate is shifted far away;"
        f" {impossible} of them could not be non-zero by structure.",
        by_task(
            {task: f"{row['symmetries']:.0f} of {row['always_zero']} ({row['by_column']})" for task, row in rows.items()}
        ),
        "Large finite shifts of the coordinate at sampled steps. An entry is a symmetry if no shift changes its output by"
        f" more than {zero_kinds.UNCHANGED:g} of 1 + |value|. Yes: all of them are.",
        "Table 1 counts these entries. That they are symmetries is this project's reading.",
    )


def persistence(stores: Sequence[xr.Dataset]) -> Finding:
    """Switches of the pattern over those of shuffled steps."""
    return _clustered(
        stores,
        "shuffled times",
        "Do patterns of zeros persist from step to step?",
        "Patterns change {} times as often as if the steps of each episode were shuffled",
        "Null model: the steps of each episode shuffled. The number is the ratio of switches, 1 under the null model.",
    )


def together(stores: Sequence[xr.Dataset]) -> Finding:
    """Correlation of the switches of two entries."""
    return _clustered(
        stores,
        "shifted entries",
        "Do entries switch together?",
        "The switches of two entries have a mean correlation of {}",
        "Null model: the series of each entry shifted in time on its own. The number is the mean correlation of the switches"
        " of two entries: 0 under the null model, 1 if all switch together. Entries with the same series count each.",
    )


def _clustered(stores: Sequence[xr.Dataset], null_model: str, question: str, sentence: str, compared_with: str) -> Finding:
    clusterings = of_first_policy(stores, "clustering")
    if not clusterings:
        return not_tested(question, _MISSING)
    frame = clustering.build(list(clusterings.values()), {})
    rows = {row["task"]: row for row in frame[frame.null_model == null_model].to_dict("records")}
    tested = {task: row for task, row in rows.items() if row["answer"] != "not tested"}
    if not tested:
        return not_tested(question, "no task has enough switches")
    holds = {task: row["answer"].startswith("yes") for task, row in tested.items()}
    shown = [row["effect"] for task, row in tested.items() if holds[task]]
    numbers = f"{min(shown):.2g} to {max(shown):.2g}" if shown else ""
    words = {
        task: f"{row['effect']:.2g}{interval(row['low'], row['high'])}, corrected p = {row['p_holm']:.2g}"
        for task, row in tested.items()
    }
    return Finding(
        question,
        answer_of(holds.values()) if shown else NOT_SHOWN,
        f"{sentence.format(numbers)} in {count_of(holds)} that can tell." if shown else "It is not shown in any task.",
        by_task(words),
        f"{compared_with} It holds if p < 0.05 after Holm's correction over these tasks and the interval, from resampling"
        " episodes within study seeds, excludes the null model.",
        "Figure 6 shows clusters in single episodes, without a null model.",
    )


def products(stores: Sequence[xr.Dataset]) -> Finding:
    """The number of multiplied steps after which half of the zeros are gone."""
    question = "Are the zeros of one step lost over several steps?"
    carried = of_first_policy(stores, "horizons")
    frame = horizons.build(list(carried.values()), {}) if carried else None
    rows = {} if frame is None else {row["task"]: row for row in frame.to_dict("records") if row["zeros"] > 0}
    if not rows:
        return not_tested(question, "no step has a zero" if carried else _MISSING)
    holds: dict[str, bool | None] = {task: bool(np.isfinite(row["half"])) for task, row in rows.items()}
    halves = [row["half"] for row in rows.values() if np.isfinite(row["half"])]
    longest = max(int(row["longest"]) for row in rows.values())
    return Finding(
        question,
        answer_of(holds.values()),
        f"In {count_of(holds)} half of the zeros are gone within {longest} steps"
        + (f", after {min(halves):.0f} to {max(halves):.0f} steps." if halves else "."),
        by_task({task: _half(row) for task, row in rows.items()}),
        "Products of the Jacobians of consecutive steps; an entry is zero if each path through the factors contains a zero."
        " Null model: the same start steps, followed by other steps of the episode in random order. Yes: half of the zeros"
        " are gone in every task.",
        "The paper looks at single steps only.",
    )


def _half(row: Mapping[str, Any]) -> str:
    shuffled = "never" if np.isinf(row["half_shuffled"]) else f"{row['half_shuffled']:.0f}"
    if np.isinf(row["half"]):
        in_random_order = "more than half as well" if shuffled == "never" else f"half gone after {shuffled}"
        return f"more than half are left after {row['longest']} steps (in random order: {in_random_order})"
    ends = f" [{row['low']:.0f}, {row['high']:.0f}]" if row["low"] == row["low"] else ""
    return f"after {row['half']:.0f}{ends} steps (in random order: {shuffled}), {row['half_seconds']:.2g} s"


def moves(stores: Sequence[xr.Dataset]) -> Finding:
    """Zeros that act when their input is moved by up to one standard deviation."""
    question = "Does a zero derivative mean that an input has no influence?"
    moved = of_first_policy(stores, "interventions")
    frame = interventions.build(list(moved.values()), {}) if moved else None
    last = {} if frame is None else {task: rows.iloc[-1] for task, rows in frame.groupby("task", sort=False)}
    known = {str(task): row for task, row in last.items() if row.reached == row.reached}
    if not known:
        return not_tested(question, "no sampled step has a zero" if moved else _MISSING)
    holds: dict[str, bool | None] = {task: bool(row.reached == 0) for task, row in known.items()}
    reached = [row.reached for task, row in known.items() if not holds[task]]
    sizes = sorted({float(row.move) for row in known.values()})
    return Finding(
        question,
        answer_of(holds.values()),
        f"In {count_of(holds)} no zero acts when its input is moved by up to {sizes[-1]:g} standard deviation"
        + (f"; in the others {percent(min(reached))} to {percent(max(reached))} of the zeros do." if reached else "."),
        by_task({task: _acting(row) for task, row in known.items()}),
        "The same step with one input moved. A zero acts if its output changes by more than 1e-9 of 1 + |value|. Yes: no"
        " zero acts in any task. Intervals: episodes are resampled within study seeds.",
        "The paper takes zero derivatives for missing edges of the causal graph.",
    )


def _acting(row: Any) -> str:
    return f"{percent(row.reached)}{interval(100 * row.reached_low, 100 * row.reached_high, ' %')} of {row.zeros} zeros act"
