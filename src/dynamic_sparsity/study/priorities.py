"""Which jobs Snakemake starts first: those that the first figures wait for, then the first study seed's."""

from __future__ import annotations

from collections.abc import Sequence

from dynamic_sparsity.study.study import Study
from dynamic_sparsity.tasks import sizes

_FIRST = 1000
"""More than there are seeds or policies."""


def by_seed(seeds: Sequence[int], seed: str) -> int:
    """Priority of a job of one seed: the first seed comes first, and later ones find its programs traced and compiled."""
    return -seeds.index(int(seed)) if int(seed) in seeds else 0


def by_task(study: Study, task: str | None = None, policy: str | None = None, seed: str | None = None) -> int:
    """Priority of a job, by its task, policy and study seed as far as it has them.

    The smallest task under its first policy comes first, so that there are figures to look at early. Jobs of one task that
    start together wait for the one that compiles, so the order among other tasks is by seed and policy and not by task.
    """
    smallest = min(study.tasks, key=lambda name: sizes.ALL[name].entries)
    first = _FIRST if (task, policy) == (smallest, study.policies_of(smallest)[0]) else 0
    if seed is None:
        return first
    turn = study.policies.names.index(policy) if policy and policy in study.policies.names else 0
    return first + by_seed(study.seeds, seed) - turn
