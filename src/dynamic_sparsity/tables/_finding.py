"""What a finding is made of, and the words that all findings share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

YES, NO, PARTLY, NOT_SHOWN, NOT_TESTED = "yes", "no", "partly", "not shown", "not tested"


@dataclass(frozen=True)
class Finding:
    """The answer to one question; the fields are the columns of the table, in this order."""

    question: str
    answer: str
    """`yes`, `no` or `partly` by a rule that `compared_with` states; `not shown`, or `not tested`."""
    finding: str
    """One sentence that can be quoted."""
    evidence: str
    """The numbers behind it, task by task, with their intervals."""
    compared_with: str
    """The rule of the answer, and the null model or reference behind it."""
    paper: str
    """What the paper says, and whether this study agrees."""


def not_tested(question: str, reason: str, paper: str = "") -> Finding:
    """The finding of a study that lacks what the question needs."""
    return Finding(question, NOT_TESTED, f"This study does not test it: {reason}.", "", "", paper)


def answer_of(holds: Iterable[bool | None]) -> str:
    """Yes if it holds in all tasks, no if in none, partly if in some; None stands for a task that cannot tell."""
    known = [held for held in holds if held is not None]
    if not known:
        return NOT_SHOWN
    return YES if all(known) else PARTLY if any(known) else NO


def of_first_policy(stores: Sequence[xr.Dataset], kind: str) -> dict[str, xr.Dataset]:
    """The store of each task's first policy, by task. Stores come policy by policy, in the study's order."""
    first: dict[str, xr.Dataset] = {}
    for data in stores:
        if data.attrs["kind"] == kind:
            first.setdefault(data.attrs["task"], data)
    return first


def policies_in(stores: Mapping[str, xr.Dataset]) -> str:
    """The policies of these stores, in words."""
    names = list(dict.fromkeys(str(data.attrs["policy"]) for data in stores.values()))
    return f"polic{'y' if len(names) == 1 else 'ies'} {', '.join(names)}"


def count_of(holds: Mapping[str, bool | None]) -> str:
    """How many tasks it holds in, in words: "3 of 8 tasks"."""
    known = {task: held for task, held in holds.items() if held is not None}
    return f"{sum(known.values())} of {len(known)} task{'' if len(known) == 1 else 's'}"


def by_task(words: Mapping[str, str]) -> str:
    """A sentence that lists something for each task; tasks that share it are named together."""
    tasks_of: dict[str, list[str]] = {}
    for task, text in words.items():
        tasks_of.setdefault(text, []).append(task)
    return "; ".join(f"{', '.join(tasks)}: {text}" for text, tasks in tasks_of.items()) + "."


def percent(share: float) -> str:
    """A share in per cent, with two significant digits at least: "5.2 %"."""
    value = 100 * share
    return f"{value:.0f} %" if value == 0 or 10 <= value <= 99.5 or value == 100 else f"{value:.3g} %"


def interval(low: float, high: float, unit: str = "") -> str:
    """The ends of an interval in brackets; empty if they are unknown."""
    return f" [{low:.3g}, {high:.3g}]{unit}" if low == low and high == high else ""
