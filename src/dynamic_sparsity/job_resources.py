"""What a job asks a scheduler for: memory and run time, from the size of its problem, and an accelerator where one helps.

Only the workflow and the benchmarks import this: an edit here reruns nothing. `python -m tests.benchmarks resources` holds
the requests against what jobs used, and prints the factors below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynamic_sparsity import runtime
from dynamic_sparsity.settings import JacobianSettings
from dynamic_sparsity.study import Study
from dynamic_sparsity.task_sizes import ALL, TaskSize

ON_ACCELERATORS = ("policies", "jacobians", "world_models")
"""Stages that an accelerator helps: they run hundreds of samples side by side. A rollout is one step after the other."""

_AROUND_MB = 400
"""Two snakemake processes that start a job within a Slurm job (150 MB each, and some more for large studies)."""
_SPARE = 1.5
"""Requests are this many times what was measured, and a second attempt gets twice as much."""
_SHARD_MB = 32 * 2**20 / 1e6
"""What `stores.EpisodeWriter` holds, unless an episode is larger."""


@dataclass(frozen=True)
class Request:
    """What one job needs at its first attempt."""

    memory_mb: int
    minutes: int


def accelerators(stage: str) -> int:
    """How many devices a job of a stage asks for: one where JAX_PLATFORMS names a GPU and the stage gains by it."""
    return int(stage in ON_ACCELERATORS and runtime.names_gpu())


def request(
    study: Study, stage: str, task: str | None = None, policy: str | None = None, method: str | None = None
) -> Request:
    """What a job of a stage needs; without a task: one that reads the stores of all tasks and policies."""
    runs = [
        _Run(study, name, len(study.seeds_of(each)), method or study.jacobians.variant)
        for name in ([task] if task else study.tasks)
        for each in ([policy] if policy in study.policies.names else study.policies.names)
    ]
    need = _NEEDS[stage]
    memory = _AROUND_MB + _SPARE * (need.base_mb + sum(need.data_mb(run) for run in runs))
    seconds = need.seconds + sum(need.work_seconds(run) for run in runs)
    return Request(_rounded_up(memory, 100), _rounded_up(5 + 2 * _SPARE * seconds / 60, 5))


@dataclass(frozen=True)
class _Run:
    """A task under a policy: the sizes that costs follow from. Times are of one core of the machine in docs/scaling.md."""

    study: Study
    task: str
    seeds: int
    method: str

    @property
    def size(self) -> TaskSize:
        return ALL[self.task]

    @property
    def steps(self) -> int:
        """Of one seed."""
        return self.study.rollouts.episodes * self.study.rollouts.steps

    @property
    def episode_entries(self) -> float:
        """Entries of one episode's Jacobians, in millions."""
        return self.study.rollouts.steps * self.size.entries / 1e6

    @property
    def entries(self) -> float:
        """Those of all episodes of all seeds, in millions."""
        return self.episode_entries * self.study.rollouts.episodes * self.seeds

    @property
    def programs_seconds(self) -> float:
        """To trace and compile what a simulating job needs, at its first time."""
        return 20.0 + 3.0 * self.size.inputs

    @property
    def rollout_seconds(self) -> float:
        """To act in the episodes of one seed, and to replay them."""
        return self.steps * self.size.substeps * 5e-7 * self.size.inputs**1.8

    @property
    def jacobian_seconds(self) -> float:
        """To differentiate the steps of one seed: grows as docs/performance.md found, at the height of the slowest task."""
        factor, exponent = _JACOBIAN_SECONDS[JacobianSettings.of_variant(self.method).method]
        return self.steps * self.size.substeps * factor * self.size.inputs**exponent


_JACOBIAN_SECONDS = {"unrolled": (2e-6, 2.1), "implicit": (1e-6, 1.4), "finite": (4e-6, 1.5)}


@dataclass(frozen=True)
class _Need:
    """What the jobs of a rule use: megabytes and seconds without data, and with it."""

    base_mb: int
    seconds: int = 5
    simulates: bool = False
    writes_episodes: bool = False
    episode_bytes: int = 0
    """Held for each entry of an episode's Jacobians."""
    bytes: float = 0.0
    """Held for each entry of all episodes' Jacobians."""
    entry_seconds: float = 0.0
    """For a million entries of all episodes' Jacobians."""

    def data_mb(self, run: _Run) -> float:
        shard = 3 * _SHARD_MB if self.writes_episodes else 0.0
        programs = 6 * run.size.inputs if self.simulates else 0.0
        return shard + programs + self.episode_bytes * run.episode_entries + self.bytes * run.entries

    def work_seconds(self, run: _Run) -> float:
        simulation = run.programs_seconds + run.rollout_seconds if self.simulates else 0.0
        return simulation + self.entry_seconds * run.entries


class _Differentiation(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.jacobian_seconds


class _Learning(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.study.world_models.training.seconds


_NEEDS = {
    "policies": _Need(2000, seconds=4 * 3600),
    "rollouts": _Need(500, simulates=True, writes_episodes=True),
    "jacobians": _Differentiation(500, simulates=True, writes_episodes=True, episode_bytes=32),
    "sparsity": _Need(120, writes_episodes=True, episode_bytes=60, entry_seconds=0.1),
    "durations": _Need(120, writes_episodes=True, episode_bytes=30, entry_seconds=0.1),
    "summary": _Need(130, episode_bytes=30, entry_seconds=0.1),
    "survival": _Need(130, episode_bytes=30, entry_seconds=0.1),
    "patterns": _Need(130, episode_bytes=60, entry_seconds=0.5),
    "embedding": _Need(250, seconds=120, episode_bytes=4),
    "frames": _Need(800, seconds=60),
    "ablation": _Need(180, episode_bytes=60, entry_seconds=0.5),
    "world_models": _Learning(500, bytes=40.0),
    "recovery": _Need(500, seconds=60, bytes=60.0, entry_seconds=10.0),
    "table": _Need(150, bytes=0.1),
    "figure": _Need(200, episode_bytes=10, entry_seconds=0.1),
    "study_figure": _Need(200, bytes=0.1),
}
"""By rule."""


def _rounded_up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
