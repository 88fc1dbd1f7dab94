"""Priorities of jobs: Snakemake starts the inputs of the first figures first, then those of the first study seed."""

from __future__ import annotations

from collections.abc import Sequence

from dynamic_sparsity.study.study import Study
from dynamic_sparsity.tasks import sizes

_SHOWN_FIRST = 1000
"""Priority of the task and policy whose figures are made first: more than the number of seeds and policies."""


def by_seed(seeds: Sequence[int], seed: str) -> int:
    """Priority of a job of one seed. The first seed comes first; later ones find its programs traced and compiled."""
    return -seeds.index(int(seed)) if int(seed) in seeds else 0


def first_shown(study: Study) -> tuple[str, str]:
    """The smallest task and its first policy, whose figures are made first so that they can be looked at early."""
    smallest = min(study.tasks, key=lambda name: sizes.ALL[name].entries)
    return smallest, study.policies_of(smallest)[0]


def by_task(
    study: Study, first: tuple[str, str], task: str | None = None, policy: str | None = None, seed: str | None = None
) -> int:
    """Priority of a job, by its task, policy and study seed (None if it has none); `first` is `first_shown(study)`.

    The order of all jobs but those of `first` is by seed and policy and not by task, because jobs of one task that start
    together wait for the one that compiles.
    """
    shown = _SHOWN_FIRST if (task, policy) == first else 0
    if seed is None:
        return shown
    turn = study.policies.names.index(policy) if policy and policy in study.policies.names else 0
    return shown + by_seed(study.seeds, seed) - turn
