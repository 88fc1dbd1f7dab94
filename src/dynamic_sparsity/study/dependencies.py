"""The settings that each stage, table and figure depends on, as one JSON string with sorted keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.policies import ExpertPolicy, PolicySettings, policies_in
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.settings.training import TrainingSettings
from dynamic_sparsity.settings.world_models import WorldModelStage, of_one_model
from dynamic_sparsity.study.figure_settings import settings_of
from dynamic_sparsity.study.study import Study


def stage_settings(study: Study, stage: str, policy: str, variant: str | None = None) -> str:
    """Settings of a stage for one policy, and of all stages before it, as one sorted-key JSON string.

    `variant` is the way to differentiate that a path names; None means the study's own. The settings of earlier stages
    are included so that a change reruns this stage even if its input has failed and been deleted.
    """
    return _to_json(_stage_values(study, stage, policy, variant))


def world_model_settings(study: Study, policy: str, model: str, variant: str | None = None) -> str:
    """Settings of one world model, without those of other models or of scores, as one sorted-key JSON string.

    Raises UserError for a model that the study does not have.
    """
    stage = WorldModelStage.model_construct(**_stage_values(study, "world_models", policy, variant))
    return _to_json(dict(of_one_model(stage, model)))


def training_settings(study: Study) -> str:
    """Settings of the stage that trains experts, as one sorted-key JSON string; the defaults if no expert acts."""
    expert = study.policies.expert or ExpertPolicy()
    return _to_json({"training": expert.training})


def table_settings(study: Study, stages: Sequence[str]) -> str:
    """Settings of a table that reads the stores of `stages` for all policies, as one sorted-key JSON string."""
    return _to_json({"upstream": _of_all_policies(study, stages)})


def study_figure_settings(study: Study, figure: str, stages: Sequence[str]) -> str:
    """Settings of a figure over all tasks and policies, as one sorted-key JSON string."""
    return _figure_job(study, {figure: stages}, _of_all_policies(study, stages))


def figure_settings(study: Study, reads: Mapping[str, Sequence[str]], policy: str, variant: str | None = None) -> str:
    """Settings of the figures of one policy as one sorted-key JSON string; `reads` holds the stages that each reads."""
    stages = sorted({stage for stages_of_figure in reads.values() for stage in stages_of_figure})
    return _figure_job(study, reads, {policy: {stage: _stage_values(study, stage, policy, variant) for stage in stages}})


def _figure_job(study: Study, reads: Mapping[str, Sequence[str]], upstream: dict[str, Any]) -> str:
    figures = {figure: {"reads": stages, "settings": settings_of(study.figures, figure)} for figure, stages in reads.items()}
    return _to_json({"upstream": upstream, "style": study.figures.style, "figures": figures})


def _of_all_policies(study: Study, stages: Sequence[str]) -> dict[str, Any]:
    learnt = ["_".join(study.learnt_policies(task)) for task in study.modelled_tasks] if "recovery" in stages else []
    policies = dict.fromkeys([*study.policies.names, *learnt])
    return {policy: {stage: _stage_values(study, stage, policy) for stage in stages} for policy in policies}


def _stage_values(study: Study, stage: str, policy: str, variant: str | None = None) -> dict[str, Any]:
    sections = {name: getattr(study.policies, name) for name in policies_in(policy)}
    expert = sections.get("expert")
    if isinstance(expert, ExpertPolicy) and expert.source == "shipped":  # then the settings of training do not matter
        sections["expert"] = expert.model_copy(update={"training": TrainingSettings()})
    values = {name: getattr(study, name) for name in STAGES[stage].model_fields}
    values["policies"] = PolicySettings.model_validate(sections)
    if variant and "jacobians" in values:
        values["jacobians"] = JacobianSettings.of_variant(variant)
    for section in ("embedding", "ablation", "world_models"):
        if section in values:  # the result for one task does not depend on the list of tasks
            values[section] = getattr(study, section).model_copy(update={"tasks": []})
    if "world_models" in values:
        values["world_models"] = values["world_models"].model_copy(update={"policies": None})
    if "ablation" in values:
        values["ablation"] = values["ablation"].model_copy(update={"policies": [], "seeds": None})
        if stage == "ablation_jacobians":
            values["ablation"] = values["ablation"].of_jacobians
    return values


def _to_json(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), default=lambda model: model.model_dump())
