"""A study: everything that config.yaml may set, and what follows from it: who acts, and what world models learn."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.ablation import AblationSettings
from dynamic_sparsity.settings.base import Section, Seed, without_repeats
from dynamic_sparsity.settings.comparison import ComparisonSettings
from dynamic_sparsity.settings.embedding import EmbeddingSettings
from dynamic_sparsity.settings.frames import FrameSettings
from dynamic_sparsity.settings.horizons import HorizonSettings
from dynamic_sparsity.settings.interventions import InterventionSettings
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.policies import ExpertPolicy, PolicyName, PolicySettings
from dynamic_sparsity.settings.policy_kinds import POLICY_KINDS
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.rollouts import RolloutSettings
from dynamic_sparsity.settings.sparsity import SparsitySettings
from dynamic_sparsity.settings.structure import StructureSettings
from dynamic_sparsity.settings.tasks import TaskName, TaskNames, unknown_task
from dynamic_sparsity.settings.temporal import TemporalSettings
from dynamic_sparsity.settings.world_models import EPISODES_TO_SPLIT, WorldModelsSettings
from dynamic_sparsity.study.catalogue import FIGURES
from dynamic_sparsity.study.config_errors import explained
from dynamic_sparsity.study.figure_settings import FigureSettings, settings_of
from dynamic_sparsity.tasks.names import WITH_ORIENTATIONS

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

_WORDS = {"true": True, "false": False, "null": None, "": None}


class Study(Section):
    """Everything that config.yaml may set."""

    tasks: TaskNames = Field(min_length=1, description="Tasks of the study, by Playground's registry names.")
    policies: PolicySettings = Field(description="The policies that act.")
    seeds: list[Seed] = Field(
        min_length=1, description="Study seeds: each task and policy has one rollout store for each of them."
    )
    task_policies: dict[TaskName, list[PolicyName]] = Field(
        default_factory=dict,
        description="Policies that act in single tasks, out of `policies`; in all other tasks all policies act.",
    )
    comparison: ComparisonSettings = Field(
        default_factory=ComparisonSettings, description="How much is computed for policies other than the first one."
    )
    rollouts: RolloutSettings = Field(default_factory=RolloutSettings, description="How much is simulated.")
    jacobians: JacobianSettings = Field(default_factory=JacobianSettings, description="How steps are differentiated.")
    sparsity: SparsitySettings = Field(default_factory=SparsitySettings, description="When an entry counts as zero.")
    structure: StructureSettings = Field(
        default_factory=StructureSettings, description="Finite shifts of position coordinates, to find symmetries."
    )
    temporal: TemporalSettings = Field(
        default_factory=TemporalSettings, description="How patterns over time are summarised."
    )
    horizons: HorizonSettings = Field(
        default_factory=HorizonSettings, description="Over how many steps Jacobians are multiplied."
    )
    resampling: ResamplingSettings = Field(default_factory=ResamplingSettings, description="Bootstrap intervals.")
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings, description="t-SNE of transitions.")
    frames: FrameSettings = Field(default_factory=FrameSettings, description="Rendered frames of a sequence.")
    ablation: AblationSettings = Field(default_factory=AblationSettings, description="Other ways to differentiate.")
    interventions: InterventionSettings = Field(
        default_factory=InterventionSettings, description="Steps that are repeated with one input moved."
    )
    world_models: WorldModelsSettings = Field(
        default_factory=WorldModelsSettings, description="World models and whether they recover the sparsity."
    )
    figures: FigureSettings = Field(default_factory=FigureSettings, description="Appearance of figures.")

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: list[int]) -> list[int]:
        return without_repeats(seeds)

    @field_validator("task_policies")
    @classmethod
    def _known_tasks(cls, task_policies: dict[str, list[str]]) -> dict[str, list[str]]:
        if problem := unknown_task(list(task_policies)):
            raise ValueError(problem)
        return {task: without_repeats(policies) for task, policies in task_policies.items()}

    def policies_of(self, task: str) -> list[str]:
        """Policies that act in a task; the others are compared with the first."""
        return [name for name in self.policies.names if name in self.task_policies.get(task, self.policies.names)]

    def full_policies(self, task: str) -> list[str]:
        """Policies of a task that have their own survival curves, interventions and figures."""
        return self.policies_of(task) if self.comparison.full else self.policies_of(task)[:1]

    def seeds_of(self, task: str, policy: str) -> list[int]:
        """Study seeds in which a policy acts in a task."""
        return self.seeds if policy == self.policies_of(task)[0] else self.seeds[: self.comparison.seeds]

    @property
    def who_acts(self) -> str:
        """A notice of the policies and the study seeds in which they act: a line for each group of tasks."""
        special = [task for task in self.tasks if self.policies_of(task) != self.policies.names]
        common = [task for task in self.tasks if task not in special]
        groups = [(f"{len(common)} tasks" if special else "all tasks", common[0])] if common else []
        return "\n".join(
            f"Who acts in {name}: "
            + ", ".join(f"{policy} (seeds {_listed(self.seeds_of(task, policy))})" for policy in self.policies_of(task))
            + "."
            for name, task in [*groups, *((task, task) for task in special)]
        )

    @property
    def embedded_tasks(self) -> list[str]:
        """Tasks of the study whose transitions are embedded."""
        return [task for task in self.tasks if task in self.embedding.tasks]

    @property
    def ablated_tasks(self) -> list[str]:
        """Tasks of the study that are differentiated in several ways."""
        return [task for task in self.tasks if task in self.ablation.tasks]

    def ablated_policies(self, task: str) -> list[str]:
        """Policies of a task whose steps are differentiated in several ways."""
        return [policy for policy in self.policies_of(task) if policy in self.ablation.policies]

    def ablated_seeds(self, task: str, policy: str) -> list[int]:
        """Study seeds in which the steps of a task under a policy are differentiated in several ways."""
        return self.seeds_of(task, policy)[: self.ablation.seeds]

    @property
    def modelled_tasks(self) -> list[str]:
        """Tasks of the study on which world models are trained."""
        return [task for task in self._tasks_to_model if not self.nothing_to_learn(task)]

    @property
    def _tasks_to_model(self) -> list[str]:
        """Tasks for which world models are requested, whether or not there is data to learn from."""
        requested = self.world_models.tasks
        if requested is None:
            return [task for task in self.tasks if task not in WITH_ORIENTATIONS]
        return [task for task in self.tasks if task in requested]

    @property
    def notice(self) -> str | None:
        """Which tasks world models learn, from which policies, and why tasks are left out; None if `tasks` is empty."""
        if self.world_models.tasks == []:
            return None
        sentences: list[str] = []
        reasons: dict[str, list[str]] = {}
        for task in self._tasks_to_model:
            if reason := self.nothing_to_learn(task):
                reasons.setdefault(reason, []).append(task)
        by_policies: dict[str, list[str]] = {}
        for task in self.modelled_tasks:
            by_policies.setdefault(", ".join(self.learnt_policies(task)), []).append(task)
        for policies, tasks in by_policies.items():
            sentences.append(f"World models learn {_listed(tasks)} from episodes of {policies}.")
        if not sentences and not reasons:
            sentences.append("World models learn none of these tasks.")
        if elsewhere := [task for task in self.world_models.tasks or [] if task not in self.tasks]:
            sentences.append(f"world_models.tasks also lists {_listed(elsewhere)}: skipped, not among the study's tasks.")
        for reason, tasks in reasons.items():
            of_tasks = "" if len(tasks) == len(self.tasks) else f" of {_listed(tasks)}"
            sentences.append(f"World models are left out{of_tasks}: {reason}, or set `world_models: {{tasks: []}}`.")
        return "\n".join(sentences)

    def learnt_policies(self, task: str) -> list[str]:
        """Policies from whose episodes the world models of a task learn."""
        acting, requested = self.policies_of(task), self.world_models.policies
        return acting[:1] if requested is None else [name for name in acting if name in requested]

    def nothing_to_learn(self, task: str) -> str | None:
        """Why world models cannot learn a task, with the remedy; None if they can."""
        return self.without_data(task, self.learnt_policies(task))

    def without_data(self, task: str, policies: Sequence[str]) -> str | None:
        """Why a task cannot be learnt from the rollouts of these policies, with the remedy; None if it can."""
        if not policies:
            return (
                f"none of world_models.policies = {self.world_models.policies} acts in this task: name one of"
                f" {', '.join(self.policies_of(task))}"
            )
        seeds = sum(len(self.seeds_of(task, policy)) for policy in policies)
        stores = "study seeds" if len(policies) == 1 else "pairs of policy and study seed"
        if self.rollouts.episodes * seeds < EPISODES_TO_SPLIT:
            return (
                f"{self.rollouts.episodes * seeds} episodes (rollouts.episodes = {self.rollouts.episodes}, {stores}:"
                f" {seeds}) are too few to split into training, validation and test: set rollouts.episodes to at least"
                f" {-(-EPISODES_TO_SPLIT // seeds)}"
            )
        if all(policy in POLICY_KINDS and POLICY_KINDS[policy].still for policy in policies):
            return f"policies.{policies[0]} never changes the controls: add noise or an expert"
        return None

    @model_validator(mode="after")
    def _somebody_acts(self) -> Study:
        names = self.policies.names
        for task, policies in self.task_policies.items():
            if unknown := [policy for policy in policies if policy not in names]:
                raise ValueError(
                    f"task_policies.{task} has {unknown[0]!r}, which is not in policies ({', '.join(names)}): add it there"
                )
            if not policies:
                raise ValueError(
                    f"task_policies.{task} is empty: name one of {', '.join(names)}, or leave the task out of tasks"
                )
        return self

    @model_validator(mode="after")
    def _models_have_data(self) -> Study:
        tasks = self._tasks_to_model
        if unsupported := sorted(WITH_ORIENTATIONS.intersection(tasks)):
            raise ValueError(
                f"world_models.tasks: {', '.join(unsupported)} has free or ball joints, whose orientations world models"
                " cannot predict yet: leave it out"
            )
        policies = self.world_models.policies
        if tasks and policies and not set(policies) & set(self.policies.names):
            raise ValueError(
                f"world_models.policies = {policies}: none of them acts in this study: name one of"
                f" {', '.join(self.policies.names)}"
            )
        return self

    @model_validator(mode="after")
    def _drawn_episode_exists(self) -> Study:
        for name in FIGURES:
            settings = settings_of(self.figures, name)
            for key, limit in (("episode", self.rollouts.episodes), ("first_step", self.rollouts.steps - 1)):
                if settings.get(key, 0) >= limit:
                    raise ValueError(
                        f"figures.{name}.{key} = {settings[key]} is outside the rollouts:"
                        f" use 0 to {limit - 1}, or raise rollouts.{'episodes' if key == 'episode' else 'steps'}"
                    )
        return self


def load_study(config: dict[Any, Any], source: str = "config.yaml") -> Study:
    """The study of a parsed configuration. `source` is the name of the configuration in messages.

    Raises UserError with one line for each mistake, which names the key, the value and what is allowed.
    """
    try:
        return Study.model_validate(_converted(config))
    except ValidationError as error:
        raise UserError("\n".join([f"{source} is not a valid study:", *explained(error, Study)])) from None


def _listed(values: Sequence[Any], most: int = 10) -> str:
    shown = ", ".join(map(str, values[:most]))
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _converted(value: Any) -> Any:
    """The configuration with numbers, true, false and null in place of text that stands for them.

    YAML 1.1 reads 1e-12 (without a point) as text, and Snakemake reads every value nested in `--config 'key={...}'` as
    text.
    """
    if isinstance(value, dict):
        return {key: _converted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if not isinstance(value, str):
        return value
    if _NUMBER.fullmatch(value):
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return _WORDS.get(value.lower(), value)


def with_experts(study: Study, shipped: Collection[str]) -> tuple[Study, str | None]:
    """The study without the expert in tasks for which none is shipped, and a notice of them (None if there are none).

    `shipped` holds the tasks that have shipped experts. Raises UserError for tasks in which no other policy acts.
    """
    expert = study.policies.expert
    if not isinstance(expert, ExpertPolicy) or expert.source != "shipped":
        return study, None
    lacking = [task for task in study.tasks if task not in shipped and "expert" in study.policies_of(task)]
    other_policies = {task: [policy for policy in study.policies_of(task) if policy != "expert"] for task in lacking}
    if idle := [task for task, policies in other_policies.items() if not policies]:
        raise UserError(
            f"policies.expert: no expert is shipped for {_listed(idle)} (only for {', '.join(shipped)}), and no other"
            " policy acts: train experts (`policies: {expert: train}`), or add a policy (`policies: {noise: {}}`)"
        )
    if not lacking:
        return study, None
    notice = (
        f"No expert is shipped for {_listed(lacking)}: only the other policies act there. To train one, set"
        " `policies: {expert: train}`."
    )
    return Study.model_validate({**study.model_dump(), "task_policies": {**study.task_policies, **other_policies}}), notice


def json_schema() -> dict[str, Any]:
    """The JSON schema of config.yaml (workflow/schemas/config.schema.json; a test compares them)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
