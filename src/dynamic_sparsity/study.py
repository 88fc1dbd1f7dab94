"""A study: everything that config.yaml may say, and what of it each stage is given."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from dynamic_sparsity.config_errors import explained
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.figure_settings import FigureSettings
from dynamic_sparsity.settings import (
    EPISODES_TO_SPLIT,
    STAGES,
    AblationSettings,
    ComparisonSettings,
    EmbeddingSettings,
    ExpertPolicy,
    FrameSettings,
    JacobianSettings,
    PolicySettings,
    ResamplingSettings,
    RolloutSettings,
    Section,
    Seed,
    SparsitySettings,
    TaskNames,
    TemporalSettings,
    TrainingSettings,
    WorldModelsSettings,
    WorldModelStage,
    of_one_model,
    without_repeats,
)
from dynamic_sparsity.task_names import WITH_ORIENTATIONS

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None, "": None}


class Study(Section):
    """Everything that config.yaml may say."""

    tasks: TaskNames = Field(min_length=1, description="Playground registry names.")
    policies: PolicySettings = Field(description="Who acts.")
    seeds: list[Seed] = Field(min_length=1, description="One rollout store per task, policy and seed.")
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

    @property
    def full_policies(self) -> list[str]:
        """Policies that have durations and figures of their own."""
        return self.policies.names if self.comparison.full else self.policies.names[:1]

    def seeds_of(self, policy: str) -> list[int]:
        """The seeds in which a policy acts."""
        return self.seeds if policy == self.policies.names[0] else self.seeds[: self.comparison.seeds]

    @property
    def embedded_tasks(self) -> list[str]:
        """Tasks of the study whose transitions are embedded."""
        return [task for task in self.tasks if task in self.embedding.tasks]

    @property
    def ablated_tasks(self) -> list[str]:
        """Tasks of the study that are differentiated in several ways."""
        return [task for task in self.tasks if task in self.ablation.tasks]

    @property
    def ablated_policies(self) -> list[str]:
        """Policies of the study whose steps are differentiated in several ways."""
        return [policy for policy in self.policies.names if policy in self.ablation.policies]

    def ablated_seeds(self, policy: str) -> list[int]:
        """The seeds in which that is done."""
        return self.seeds_of(policy)[: self.ablation.seeds]

    @property
    def modelled_tasks(self) -> list[str]:
        """Tasks of the study on which world models are trained."""
        if self.world_models.tasks is None:
            return [] if self.notice else [task for task in self.tasks if task not in WITH_ORIENTATIONS]
        return [task for task in self.tasks if task in self.world_models.tasks]

    @property
    def notice(self) -> str | None:
        """Why world models are left out of a study that does not ask for them, if they are."""
        reason = self.without_data(self.policies.names[0])
        if self.world_models.tasks is not None or not reason:
            return None
        return f"World models are left out: {reason}, or say `world_models: {{tasks: []}}`."

    def without_data(self, policy: str) -> str | None:
        """Why nothing can be learnt from the rollouts of a policy, if so."""
        seeds = len(self.seeds_of(policy))
        if self.rollouts.episodes * seeds < EPISODES_TO_SPLIT:
            return (
                f"rollouts.episodes = {self.rollouts.episodes} in each of {seeds} seeds cannot be split into"
                f" training, validation and test: make it at least {-(-EPISODES_TO_SPLIT // seeds)}"
            )
        if policy == "zero":
            return "policies.zero never changes the controls: add noise or an expert"
        return None

    @model_validator(mode="after")
    def _models_have_data(self) -> Study:
        asked = self.modelled_tasks
        if unknown := sorted(WITH_ORIENTATIONS.intersection(asked)):
            raise ValueError(
                f"world_models.tasks: {', '.join(unknown)} has free or ball joints, whose orientations the world models do"
                " not know yet: leave it out"
            )
        if asked and (reason := self.without_data(self.policies.names[0])):
            raise ValueError(f"world_models.tasks = {asked}, but {reason}, or make the list empty")
        return self

    @model_validator(mode="after")
    def _drawn_episode_exists(self) -> Study:
        for name in ("sparsity_over_time", "pattern_timeline"):
            section = getattr(self.figures, name)
            for key, limit in (("episode", self.rollouts.episodes), ("first_step", self.rollouts.steps - 1)):
                if getattr(section, key) >= limit:
                    raise ValueError(
                        f"figures.{name}.{key} = {getattr(section, key)} is outside the rollouts:"
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


def stage_settings(study: Study, stage: str, policy: str, variant: str | None = None) -> str:
    """Settings of a stage for one policy, with those of all stages before it, as one sorted-key JSON string.

    `variant` is the way to differentiate that a path names, None the study's own. What comes before is in it so that a
    store is made again even where its input failed to be (and so is gone).
    """
    return _to_json(_stage_values(study, stage, policy, variant))


def world_model_settings(study: Study, policy: str, model: str, variant: str | None = None) -> str:
    """Settings of one world model, without the others and without what only scores depend on, as one sorted-key JSON string.

    Raises UserError for a model that the study does not have.
    """
    stage = WorldModelStage.model_construct(**_stage_values(study, "world_models", policy, variant))
    return _to_json(dict(of_one_model(stage, model)))


def training_settings(study: Study) -> str:
    """Settings of the stage that trains experts, as one sorted-key JSON string; the defaults where none are trained."""
    expert = study.policies.expert or ExpertPolicy()
    return _to_json({"training": expert.training})


def table_settings(study: Study, stages: list[str]) -> str:
    """Settings of a table that reads the stores of `stages` for all policies, as one sorted-key JSON string."""
    return _to_json({"upstream": _of_all_policies(study, stages)})


def study_figure_settings(study: Study, figure: str, stages: list[str]) -> str:
    """Settings of a figure over all tasks and policies, as one sorted-key JSON string."""
    return _to_json(
        {"upstream": _of_all_policies(study, stages), "style": study.figures.style, "figure": getattr(study.figures, figure)}
    )


def figure_settings(study: Study, figure: str, stages: list[str], policy: str, variant: str | None = None) -> str:
    """Settings of a figure that reads the stores of `stages`, as one sorted-key JSON string."""
    upstream = {policy: {stage: _stage_values(study, stage, policy, variant) for stage in stages}}
    return _to_json({"upstream": upstream, "style": study.figures.style, "figure": getattr(study.figures, figure)})


def _of_all_policies(study: Study, stages: list[str]) -> dict[str, Any]:
    return {policy: {s: _stage_values(study, s, policy) for s in stages} for policy in study.policies.names}


def _stage_values(study: Study, stage: str, policy: str, variant: str | None = None) -> dict[str, Any]:
    section = getattr(study.policies, policy)
    if isinstance(section, ExpertPolicy) and section.source == "shipped":  # how to train changes nothing then
        section = section.model_copy(update={"training": TrainingSettings()})
    values = {name: getattr(study, name) for name in STAGES[stage].model_fields}
    values["policies"] = PolicySettings.model_validate({policy: section})
    if variant and "jacobians" in values:
        values["jacobians"] = JacobianSettings.of_variant(variant)
    for section in ("embedding", "ablation", "world_models"):
        if section in values:  # which tasks there are changes none of them
            values[section] = getattr(study, section).model_copy(update={"tasks": []})
    if "ablation" in values:
        values["ablation"] = values["ablation"].model_copy(update={"policies": [], "seeds": None})
        if stage == "ablation_jacobians":
            values["ablation"] = values["ablation"].of_jacobians
    return values


def _to_json(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), default=lambda model: model.model_dump())


def json_schema() -> dict[str, Any]:
    """The JSON schema of config.yaml (workflow/schemas/config.schema.json; a test keeps it in sync)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
