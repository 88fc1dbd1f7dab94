"""What a job asks a scheduler for: memory and run time, from the size of its problem, and an accelerator where one helps.

Only the workflow and the benchmarks import this: an edit here reruns nothing. The numbers below are fitted by eye to what
jobs of three tasks (5, 24 and 75 inputs) used; `python -m benchmarks resources` prints how far requests exceed that.
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
"""Stages that an accelerator helps: they run hundreds of samples side by side. A rollout is one step after the other, and
an ablation has few steps."""

_AROUND_MB = 400
"""Two snakemake processes that start a job within a Slurm job (150 MB each, and some more for large studies)."""
_SPARE = 1.5
"""Requests are this many times what was measured, and a second attempt gets twice as much."""
_SHARD_MB = 32 * 2**20 / 1e6
"""What `stores.writing.EpisodeWriter` holds, unless an episode is larger."""


@dataclass(frozen=True)
class Request:
    """What one job needs at its first attempt."""

    memory_mb: int
    minutes: int


def accelerators(stage: str) -> int:
    """How many devices a job of a stage asks for: one where JAX_PLATFORMS names a GPU and the stage gains by it."""
    return int(stage in ON_ACCELERATORS and names_gpu())


def request(
    study: Study, stage: str, task: str | None = None, policy: str | None = None, method: str | None = None
) -> Request:
    """What a job of a stage needs; without a task: one that reads the stores of all tasks and policies."""
    runs = [
        _Run(study, name, len(study.seeds_of(name, each)), method or study.jacobians.variant)
        for name in ([task] if task else study.tasks)
        for each in (policies_in(policy) if policy else study.policies_of(name))
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
        """Those of all episodes of one seed, in millions."""
        return self.episode_entries * self.study.rollouts.episodes

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


_JACOBIAN_SECONDS = {
    "exact": (3e-6, 1.4),
    "unrolled": (2e-6, 2.1),
    "implicit": (1e-6, 1.4),
    "differences": (1e-5, 2.1),
    "finite": (4e-6, 1.5),
}


@dataclass(frozen=True)
class _Need:
    """What the jobs of a rule use: megabytes and seconds without data, and with it."""

    base_mb: int
    seconds: int = 5
    pooled: bool = False
    """Whether a job reads all seeds."""
    simulates: bool = False
    writes_episodes: bool = False
    bytes_per_episode_entry: int = 0
    """Held for each entry of one episode's Jacobians."""
    bytes_per_entry: float = 0.0
    """Held for each entry of all Jacobians that the job reads."""
    seconds_per_million: float = 0.0
    """For a million of these entries."""

    def data_mb(self, run: _Run) -> float:
        shard = 3 * _SHARD_MB if self.writes_episodes else 0.0
        programs = 6 * run.size.inputs if self.simulates else 0.0
        data = self.bytes_per_episode_entry * run.episode_entries + self.bytes_per_entry * self.entries(run)
        return shard + programs + data

    def work_seconds(self, run: _Run) -> float:
        simulation = run.programs_seconds + run.rollout_seconds if self.simulates else 0.0
        return simulation + self.seconds_per_million * self.entries(run)

    def entries(self, run: _Run) -> float:
        return run.entries * (run.seeds if self.pooled else 1)


class _Differentiation(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.jacobian_seconds


class _Ablation(_Need):
    """Several ways to differentiate a sample of the steps, one after the other."""

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


class _Learning(_Need):
    def work_seconds(self, run: _Run) -> float:
        return super().work_seconds(run) + run.study.world_models.training.seconds


_NEEDS = {
    "policies": _Need(2000, seconds=4 * 3600),  # four times the slowest of the shipped experts
    "rollouts": _Need(500, simulates=True, writes_episodes=True),
    "jacobians": _Differentiation(500, simulates=True, writes_episodes=True, bytes_per_episode_entry=32),
    "sparsity": _Need(120, writes_episodes=True, bytes_per_episode_entry=60, seconds_per_million=0.1),
    "durations": _Need(120, writes_episodes=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "summary": _Need(130, pooled=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "survival": _Need(150, pooled=True, bytes_per_episode_entry=30, seconds_per_million=0.1),
    "patterns": _Need(130, pooled=True, bytes_per_episode_entry=60, seconds_per_million=0.5),
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
"""By rule."""


def _rounded_up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
