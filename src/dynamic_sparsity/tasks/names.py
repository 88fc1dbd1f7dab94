"""Names of the tasks that a study may list. No simulator is imported."""

from __future__ import annotations

import difflib

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.tasks import sizes

DM_CONTROL_SUITE = tuple(sizes.DM_CONTROL_SUITE)
"""Tasks that a study may list, by registry name."""

WITH_ORIENTATIONS = frozenset(name for name, size in sizes.DM_CONTROL_SUITE.items() if size.orientations)
"""Tasks with free or ball joints."""


def known_tasks(names: list[str]) -> list[str]:
    """`names`, unchanged. Raises UserError for the first that is not a task, with the nearest names."""
    if problem := unknown_task(names):
        raise UserError(problem)
    return names


def unknown_task(names: list[str]) -> str | None:
    """A message about the first of `names` that is not a task, with the nearest names; None if all are tasks."""
    for name in names:
        if name not in DM_CONTROL_SUITE:
            nearest = difflib.get_close_matches(name, DM_CONTROL_SUITE, n=3, cutoff=0.4)
            hint = (
                f"nearest names: {', '.join(nearest)} (`dynamic-sparsity tasks` lists all)"
                if nearest
                else "`dynamic-sparsity tasks` lists all"
            )
            return f"unknown task {quoted(name)}; {hint}"
    return None
