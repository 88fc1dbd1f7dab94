"""A study: everything that config.yaml may say, and who acts and learns in it."""

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
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.policies import ExpertPolicy, PolicyName, PolicySettings
from dynamic_sparsity.settings.policy_kinds import POLICY_KINDS
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.rollouts import RolloutSettings
from dynamic_sparsity.settings.sparsity import SparsitySettings
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
    """Everything that config.yaml may say."""

    tasks: TaskNames = Field(min_length=1, description="Playground registry names.")
    policies: PolicySettings = Field(description="Who acts.")
    seeds: list[Seed] = Field(min_length=1, description="One rollout store per task, policy and seed.")
    task_policies: dict[TaskName, list[PolicyName]] = Field(
        default_factory=dict, description="Who acts in single tasks, of these policies; in the others all of them do."
    )
    comparison: ComparisonSettings = Field(default_factory=ComparisonSettings, description="Policies beside the first one.")
    rollouts: RolloutSettings = Field(default_factory=RolloutSettings, description="How much is simulated.")
    jacobians: JacobianSettings = Field(default_factory=JacobianSettings, description="How it is differentiated.")
    sparsity: SparsitySettings = Field(default_factory=SparsitySettings, description="When an entry counts as zero.")
    temporal: TemporalSettings = Field(default_factory=TemporalSettings, description="Patterns over time.")
    resampling: ResamplingSettings = Field(default_factory=ResamplingSettings, description="Intervals.")
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings, description="t-SNE of transitions.")
    frames: FrameSettings = Field(default_factory=FrameSettings, description="Rendered frames beside it.")
    ablation: AblationSettings = Field(default_factory=AblationSettings, description="Other ways to differentiate.")
    world_models: WorldModelsSettings = Field(
        default_factory=WorldModelsSettings, description="World models and whether they recover the sparsity."
    )
    figures: FigureSettings = Field(default_factory=FigureSettings, description="How figures look.")

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: list[int]) -> list[int]:
        return without_repeats(seeds)

    @field_validator("task_policies")
    @classmethod
    def _known_tasks(cls, given: dict[str, list[str]]) -> dict[str, list[str]]:
        if wrong := unknown_task(list(given)):
            raise ValueError(wrong)
        return {task: without_repeats(policies) for task, policies in given.items()}

    def policies_of(self, task: str) -> list[str]:
        """Who acts in a task; the first one is what the others are compared with."""
        return [name for name in self.policies.names if name in self.task_policies.get(task, self.policies.names)]

    def full_policies(self, task: str) -> list[str]:
        """Policies that have survival curves and figures of their own."""
        return self.policies_of(task) if self.comparison.full else self.policies_of(task)[:1]

    def seeds_of(self, task: str, policy: str) -> list[int]:
        """The seeds in which a policy acts."""
        return self.seeds if policy == self.policies_of(task)[0] else self.seeds[: self.comparison.seeds]

    @property
    def who_acts(self) -> str:
        """Every policy with the seeds in which it acts, and the tasks that have others; a line each."""
        others = [task for task in self.tasks if self.policies_of(task) != self.policies.names]
        common = [task for task in self.tasks if task not in others]
        groups = [(f"{len(common)} tasks" if others else "all tasks", common[0])] if common else []
        return "\n".join(
            f"Who acts in {name}: "
            + ", ".join(f"{each} (seeds {_listed(self.seeds_of(task, each))})" for each in self.policies_of(task))
            + "."
            for name, task in [*groups, *((task, task) for task in others)]
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
        """The seeds in which that is done."""
        return self.seeds_of(task, policy)[: self.ablation.seeds]

    @property
    def modelled_tasks(self) -> list[str]:
        """Tasks of the study on which world models are trained."""
        return [task for task in self._tasks_to_model if not self.nothing_to_learn(task)]

    @property
    def _tasks_to_model(self) -> list[str]:
        """Those that are asked for, whether or not there is anything to learn from."""
        asked = self.world_models.tasks
        return [task for task in self.tasks if (task not in WITH_ORIENTATIONS if asked is None else task in asked)]

    @property
    def notice(self) -> str | None:
        """Which tasks world models learn from whom, and why some that were asked for are left out; None where none are."""
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
            sentences.append(f"world_models.tasks also lists {_listed(elsewhere)}: not in tasks, so not learnt.")
        for reason, tasks in reasons.items():
            where = "" if len(tasks) == len(self.tasks) else f" of {_listed(tasks)}"
            sentences.append(f"World models are left out{where}: {reason}, or say `world_models: {{tasks: []}}`.")
        return "\n".join(sentences)

    def learnt_policies(self, task: str) -> list[str]:
        """Policies whose episodes world models of a task learn from."""
        asked = self.world_models.policies
        return self.policies_of(task)[:1] if asked is None else [name for name in self.policies_of(task) if name in asked]

    def nothing_to_learn(self, task: str) -> str | None:
        """Why nothing can be learnt of a task, if so."""
        return self.without_data(task, self.learnt_policies(task))

    def without_data(self, task: str, policies: Sequence[str]) -> str | None:
        """Why nothing can be learnt from the rollouts of some policies, if so."""
        if not policies:
            return (
                f"none of world_models.policies = {self.world_models.policies} acts there: name one of"
                f" {', '.join(self.policies_of(task))}"
            )
        seeds = sum(len(self.seeds_of(task, policy)) for policy in policies)
        what = "seeds" if len(policies) == 1 else "seeds of policies"
        if self.rollouts.episodes * seeds < EPISODES_TO_SPLIT:
            return (
                f"rollouts.episodes = {self.rollouts.episodes} in each of {seeds} {what} cannot be split into"
                f" training, validation and test: make it at least {-(-EPISODES_TO_SPLIT // seeds)}"
            )
        if all(policy in POLICY_KINDS and POLICY_KINDS[policy].still for policy in policies):
            return f"policies.{policies[0]} never changes the controls: add noise or an expert"
        return None

    @model_validator(mode="after")
    def _somebody_acts(self) -> Study:
        names = self.policies.names
        for task, asked in self.task_policies.items():
            if other := [policy for policy in asked if policy not in names]:
                raise ValueError(
                    f"task_policies.{task} has {other[0]!r}, which is not in policies ({', '.join(names)}): add it"
                )
            if not asked:
                raise ValueError(
                    f"task_policies.{task} is empty: name one of {', '.join(names)}, or leave the task out of tasks"
                )
        return self

    @model_validator(mode="after")
    def _models_have_data(self) -> Study:
        asked = self._tasks_to_model
        if unknown := sorted(WITH_ORIENTATIONS.intersection(asked)):
            raise ValueError(
                f"world_models.tasks: {', '.join(unknown)} has free or ball joints, whose orientations the world models do"
                " not know yet: leave it out"
            )
        policies = self.world_models.policies
        if asked and policies and not set(policies) & set(self.policies.names):
            raise ValueError(
                f"world_models.policies = {policies}, but none of world_models.policies acts in this study: name one of"
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
    """Validate a parsed configuration; `source` is the file that messages name.

    Raises UserError with one line per mistake, each naming key, value and what is allowed.
    """
    try:
        return Study.model_validate(_as_meant(config))
    except ValidationError as error:
        raise UserError("\n".join([f"{source} is not a valid study:", *explained(error, Study)])) from None


def _listed(values: Sequence[Any], most: int = 10) -> str:
    shown = ", ".join(map(str, values[:most]))
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _as_meant(value: Any) -> Any:
    """Numbers, true, false and null that arrive as text, as what was meant.

    YAML 1.1 reads 1e-12, without a point, as text, and Snakemake all that `--config 'key={...}'` nests.
    """
    if isinstance(value, dict):
        return {key: _as_meant(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_meant(item) for item in value]
    if not isinstance(value, str):
        return value
    if _NUMBER.fullmatch(value):
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return _WORDS.get(value.lower(), value)


def with_experts(study: Study, shipped: Collection[str]) -> tuple[Study, str | None]:
    """The study in which the others act in tasks for which no expert is shipped, and a notice of that, if there are any.

    Raises UserError where only experts were asked for.
    """
    expert = study.policies.expert
    if not isinstance(expert, ExpertPolicy) or expert.source != "shipped":
        return study, None
    without = [task for task in study.tasks if task not in shipped and "expert" in study.policies_of(task)]
    others = {task: [policy for policy in study.policies_of(task) if policy != "expert"] for task in without}
    if alone := [task for task, left in others.items() if not left]:
        raise UserError(
            f"policies.expert: no expert is shipped for {_listed(alone)} (there are: {', '.join(shipped)}), and no other"
            " policy acts: train them (`policies: {expert: train}`), or add a policy (`policies: {noise: {}}`)"
        )
    if not without:
        return study, None
    notice = (
        f"No expert is shipped for {_listed(without)}: only the other policies act there. To train one:"
        " `policies: {expert: train}`."
    )
    return Study.model_validate({**study.model_dump(), "task_policies": {**study.task_policies, **others}}), notice


def json_schema() -> dict[str, Any]:
    """The JSON schema of config.yaml (workflow/schemas/config.schema.json; a test keeps it in sync)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
