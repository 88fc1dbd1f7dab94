"""Where stores, tables and figures lie, and which of them a study asks for."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

from dynamic_sparsity.study.catalogue import FIGURES, TABLES, figures_of
from dynamic_sparsity.study.study import Study

PER_SEED = {
    "rollouts": "results/rollouts/{task}/{policy}/{seed}.zarr",
    "jacobians": "results/jacobians/{task}/{policy}/{method}/{seed}.zarr",
    "sparsity": "results/sparsity/{task}/{policy}/{method}/{seed}.zarr",
    "durations": "results/durations/{task}/{policy}/{method}/{seed}.zarr",
    "ablation_jacobians": "results/ablation/{task}/{policy}/{seed}.zarr",
}
"""Paths of the stores of one study seed, by stage."""
PER_POLICY = {
    "structure": "results/structure/{task}/{policy}/{method}.zarr",
    "summary": "results/summary/{task}/{policy}/{method}.zarr",
    "survival": "results/survival/{task}/{policy}/{method}.zarr",
    "patterns": "results/patterns/{task}/{policy}/{method}.zarr",
    "horizons": "results/horizons/{task}/{policy}/{method}.zarr",
    "clustering": "results/clustering/{task}/{policy}/{method}.zarr",
    "interventions": "results/interventions/{task}/{policy}/{method}.zarr",
    "embedding": "results/embedding/{task}/{policy}/{method}.zarr",
    "frames": "results/frames/{task}/{policy}/{method}.zarr",
    "ablation": "results/ablation/{task}/{policy}.zarr",
    "recovery": "results/recovery/{task}/{policy}/{method}.zarr",
}
"""Paths of the stores that pool all study seeds of a policy, by stage."""
WORLD_MODEL = "results/world_models/{task}/{policy}/{method}/{model}/{seed}.zarr"
TRAINED_EXPERT = "results/policies/{task}/{seed}.safetensors"
TABLE = "results/tables/{table}.{kind}"
FIGURE = "results/figures/{figure}-{task}-{policy}-{method}.{kind}"
STUDY_FIGURE = "results/figures/{figure}.{kind}"

REQUESTED = (
    *("rollouts", "jacobians", "structure", "sparsity", "summary", "survival", "patterns", "horizons", "clustering"),
    *("interventions", "embedding", "frames", "ablation_jacobians", "ablation", "recovery"),
)
"""Stages whose stores a study asks for; `durations` are made on request, `world_models` as inputs of `recovery`."""


class Paths:
    """The files of one study."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.stores = functools.cache(self._stores)

    def _stores(
        self,
        stage: str,
        *,
        task: str | None = None,
        policy: str | None = None,
        method: str | None = None,
        seed: int | str | None = None,
    ) -> list[str]:
        """Paths of a stage's stores: of one task, policy, method or seed, or of all that the study asks for."""
        path = PER_SEED.get(stage) or PER_POLICY[stage]
        study = self._study
        tasks = [task] if task else self._tasks(stage)
        policies_of = {name: [policy] if policy else self._policies(stage, name) for name in tasks}
        method = method or study.jacobians.variant
        return [
            path.format(task=task_name, policy=policy_name, method=method, seed=store_seed)
            for policy_name in dict.fromkeys([*study.policies.names, *itertools.chain(*policies_of.values())])
            for task_name in policies_of
            if policy_name in policies_of[task_name]
            for store_seed in self._seeds(stage, task_name, policy_name, seed)
        ]

    def _tasks(self, stage: str) -> list[str]:
        study = self._study
        if stage in ("embedding", "frames"):
            return study.embedded_tasks
        if stage in ("ablation_jacobians", "ablation"):
            return study.ablated_tasks
        return study.modelled_tasks if stage == "recovery" else study.tasks

    def _policies(self, stage: str, task: str) -> list[str]:
        study = self._study
        if stage in ("embedding", "frames", "structure", "survival", "interventions"):
            return study.full_policies(task)
        if stage in ("ablation_jacobians", "ablation"):
            return study.ablated_policies(task)
        return ["_".join(study.learnt_policies(task))] if stage == "recovery" else study.policies_of(task)

    def _seeds(self, stage: str, task: str, policy: str, seed: int | str | None) -> Iterable[object]:
        if stage not in PER_SEED:
            return [None]
        if seed is not None:
            return [seed]
        study = self._study
        return study.ablated_seeds(task, policy) if stage == "ablation_jacobians" else study.seeds_of(task, policy)

    def world_models(self, task: str, policy: str, method: str) -> list[str]:
        """All world models of a task, policy and method, in the order of config.yaml; the first is the reference."""
        settings = self._study.world_models
        return [
            WORLD_MODEL.format(task=task, policy=policy, method=method, model=model, seed=seed)
            for model in settings.models
            for seed in settings.seeds
        ]

    def tables(self) -> list[str]:
        """All tables that have something to show."""
        names = [name for name, table in TABLES.items() if self._readable(table.reads)]
        return [TABLE.format(table=name, kind=kind) for name in names for kind in ("csv", "html")]

    def table_stages(self, table: str) -> tuple[str, ...]:
        """The stages whose stores a table reads in this study."""
        row = TABLES[table]
        return (*row.reads, *(stage for stage in row.also_reads if self.stores(stage)))

    def figures(self) -> list[str]:
        """All figures that have something to show."""
        return [*self._study_figures(), *itertools.chain(*map(self._task_figures, figures_of("task", "embedded task")))]

    def _study_figures(self) -> list[str]:
        names = [
            name
            for name in figures_of("study")
            if self._readable(FIGURES[name].reads) and not FIGURES[name].lacks(self._study)
        ]
        return [STUDY_FIGURE.format(figure=name, kind=kind) for name in names for kind in ("png", "svg")]

    def _task_figures(self, figure: str) -> list[str]:
        study = self._study
        if FIGURES[figure].lacks(study):
            return []
        return [
            FIGURE.format(figure=figure, task=task, policy=policy, method=study.jacobians.variant, kind=kind)
            for task in (study.embedded_tasks if FIGURES[figure].of == "embedded task" else study.tasks)
            for policy in study.full_policies(task)
            for kind in ("png", "svg")
        ]

    def _readable(self, stages: Iterable[str]) -> bool:
        return all(self.stores(stage) for stage in stages)
