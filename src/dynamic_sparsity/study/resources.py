"""What a job requests from a scheduler: memory, run time, and an accelerator if the stage gains by it.

Memory and run time follow from the size of the problem. The numbers below are fitted by eye to what jobs of three tasks
(5, 24 and 75 inputs) used; `python -m benchmarks resources` prints how far requests exceed that. Only the workflow and
the benchmarks import this module, so an edit reruns nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dynamic_sparsity.runtime.cores import names_gpu
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.policies import policies_in
from dynamic_sparsity.study.study import Study
from dynamic_sparsity.tasks.sizes import ALL, TaskSize

ON_ACCELERATORS = ("policies", "jacobians", "world_models")
"""Stages that an accelerator speeds up, because they compute hundreds of samples in parallel. A rollout computes one
step after the other, and an ablation has few steps."""

_SNAKEMAKE_MB = 400
"""Memory of the two snakemake processes that start a job in a Slurm job: 150 MB each, and more for large studies."""
_MARGIN = 1.5
"""Requests are this many times what was measured. A second attempt requests twice as much."""
_SHARD_MB = 32 * 2**20 / 1e6
"""Data that `stores.writing.EpisodeWriter` holds in memory, unless one episode is larger."""


@dataclass(frozen=True)
class Request:
    """What one job requests at its first attempt."""

    memory_mb: int
    minutes: int


def accelerators(stage: str) -> int:
    """Number of accelerators that a job requests: 1 if JAX_PLATFORMS names a GPU and the stage gains by it, else 0."""
    return int(stage in ON_ACCELERATORS and names_gpu())


def request(
    study: Study, stage: str, task: str | None = None, policy: str | None = None, method: str | None = None
) -> Request:
    """The request of a job of a stage. Without `task`, the job reads the stores of all tasks and policies."""
    runs = [
        _Run(study, task_name, len(study.seeds_of(task_name, policy_name)), method or study.jacobians.variant)
        for task_name in ([task] if task else study.tasks)
        for policy_name in (policies_in(policy) if policy else study.policies_of(task_name))
    ]
    need = _NEEDS[stage]
    memory = _SNAKEMAKE_MB + _MARGIN * (need.base_mb + sum(need.data_mb(run) for run in runs))
    seconds = need.seconds + sum(need.work_seconds(run) for run in runs)
    return Request(_rounded_up(memory, 100), _rounded_up(5 + 2 * _MARGIN * seconds / 60, 5))


@dataclass(frozen=True)
class _Run:
    """A task under a policy, with the sizes that determine costs. Times are for one core (docs/scaling.md)."""

    study: Study
    task: str
    seeds: int
    method: str

    @property
    def size(self) -> TaskSize:
        """MuJoCo's sizes of the task's model."""
        return ALL[self.task]

    @property
    def steps(self) -> int:
        """Number of control steps of one study seed."""
        return self.study.rollouts.episodes * self.study.rollouts.steps

    @property
    def episode_entries(self) -> float:
        """Number of entries of one episode's Jacobians, in millions."""
        return self.study.rollouts.steps * self.size.entries / 1e6

    @property
    def entries(self) -> float:
        """Number of entries of the Jacobians of all episodes of one study seed, in millions."""
        return self.episode_entries * self.study.rollouts.episodes

    @property
    def programs_seconds(self) -> float:
        """Time to trace and compile the programs of a job that simulates, if none are cached."""
        return 20.0 + 3.0 * self.size.inputs

    @property
    def rollout_seconds(self) -> float:
        """Time to roll out and replay the episodes of one study seed."""
        return self.steps * self.size.substeps * 5e-7 * self.size.inputs**1.8

    @property
    def jacobian_seconds(self) -> float:
        """Time to differentiate the steps of one study seed, as docs/performance.md measured for the slowest task."""
        factor, exponent = _JACOBIAN_SECONDS[JacobianSettings.of_variant(self.method).method]
        return self.steps * self.size.substeps * factor * self.size.inputs**exponent


_JACOBIAN_SECONDS = {
    "exact": (3e-6, 1.4),
    "unrolled": (2e-6, 2.1),
    "implicit": (1e-6, 1.4),
    "differences": (1e-5, 2.1),
    "finite": (4e-6, 1.5),
}
"""By method: factor and exponent of the time per substep, factor · inputs^exponent."""


@dataclass(frozen=True)
class _Need:
    """What the jobs of a rule use: a base without data (MB, seconds), and what grows with the data."""

    base_mb: int
    seconds: int = 5
    pooled: bool = False
    """Whether a job reads all study seeds."""
    simulates: bool = False
    writes_episodes: bool = False
    bytes_per_episode_entry: int = 0
    """Memory for each entry of one episode's Jacobians."""
    bytes_per_entry: float = 0.0
    """Memory for each entry of all Jacobians that the job reads."""
    seconds_per_million: float = 0.0
    """Time for a million entries of all Jacobians that the job reads."""

    def data_mb(self, run: _Run) -> float:
        """Memory beyond the base, in MB, for one task under one policy."""
        shard = 3 * _SHARD_MB if self.writes_episodes else 0.0
        programs = 6 * run.size.inputs if self.simulates else 0.0
        data = self.bytes_per_episode_entry * run.episode_entries + self.bytes_per_entry * self.entries(run)
        return shard + programs + data

    def work_seconds(self, run: _Run) -> float:
        """Time beyond the base, in seconds, for one task under one policy."""
        simulation = run.programs_seconds + run.rollout_seconds if self.simulates else 0.0
        return simulation + self.seconds_per_million * self.entries(run)

    def entries(self, run: _Run) -> float:
        """Number of entries of all Jacobians that the job reads, in millions."""
        return run.entries * (run.seeds if self.pooled else 1)


class _Differentiation(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.jacobian_seconds


class _Ablation(_Need):
    """A sample of the steps, differentiated in several ways one after the other."""

    def entries(self, run: _Run) -> float:
        seeds = len(run.study.seeds[: run.study.ablation.seeds]) if self.pooled else 1
        return run.entries * len(run.study.ablation.ways) * seeds * self._share(run)

    def work_seconds(self, run: _Run) -> float:
        if not self.simulates:
            return super().work_seconds(run)
        ways = [replace(run, method=way) for way in run.study.ablation.ways]
        return sum(way.programs_seconds + self._share(run) * way.jacobian_seconds for way in ways)

    def _share(self, run: _Run) -> float:
        steps = run.study.rollouts.steps
        return min(run.study.ablation.steps or steps, steps) / steps


class _Interventions(_Need):
    """A sample of the steps, repeated once for each input, size and direction of a move, one after the other."""

    def work_seconds(self, run: _Run) -> float:
        settings = run.study.interventions
        repetitions = settings.steps * 2 * len(settings.sizes) * run.size.inputs
        simulation = repetitions * run.size.substeps * 5e-7 * run.size.inputs**1.8
        return run.programs_seconds + simulation + self.seconds_per_million * self.entries(run)


class _Learning(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.study.world_models.training.seconds


_NEEDS = {
    "policies": _Need(2000, seconds=4 * 3600),  # four times as long as the slowest shipped expert took
    "rollouts": _Need(500, simulates=True, writes_episodes=True),
    "jacobians": _Differentiation(500, simulates=True, writes_episodes=True, bytes_per_episode_entry=32),
    "structure": _Need(500, seconds=60, simulates=True),
    "sparsity": _Need(120, writes_episodes=True, bytes_per_episode_entry=60, seconds_per_million=0.1),
    "durations": _Need(120, writes_episodes=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "summary": _Need(130, pooled=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "survival": _Need(150, pooled=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "patterns": _Need(130, pooled=True, bytes_per_episode_entry=60, seconds_per_million=0.5),
    "horizons": _Need(150, pooled=True, bytes_per_episode_entry=40, seconds_per_million=0.5),
    "clustering": _Need(180, pooled=True, bytes_per_episode_entry=60, bytes_per_entry=1.5, seconds_per_million=2.0),
    "interventions": _Interventions(
        600, simulates=True, pooled=True, bytes_per_episode_entry=16, bytes_per_entry=0.5, seconds_per_million=0.2
    ),
    "embedding": _Need(250, seconds=120, pooled=True, bytes_per_episode_entry=4, bytes_per_entry=0.5),
    "frames": _Need(800, seconds=60),
    "ablation_jacobians": _Ablation(900, simulates=True, writes_episodes=True, bytes_per_entry=60.0),
    "ablation": _Ablation(180, pooled=True, bytes_per_entry=100.0, seconds_per_million=0.5),
    "world_models": _Learning(500, pooled=True, bytes_per_entry=40.0),
    "recovery": _Need(500, seconds=60, pooled=True, bytes_per_entry=60.0, seconds_per_million=10.0),
    "table": _Need(150, pooled=True, bytes_per_entry=0.1),
    "figure": _Need(250, seconds=60, pooled=True, bytes_per_episode_entry=10, seconds_per_million=0.5),
    "embedding_figure": _Need(200, pooled=True, bytes_per_entry=0.1),
    "study_figure": _Need(200, pooled=True, bytes_per_entry=0.1),
}
"""By name of the rule."""


def _rounded_up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
