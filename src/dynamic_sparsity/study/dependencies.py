"""What of a study each stage, table and figure depends on: one sorted-key JSON string."""

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


def table_settings(study: Study, stages: Sequence[str]) -> str:
    """Settings of a table that reads the stores of `stages` for all policies, as one sorted-key JSON string."""
    return _to_json({"upstream": _of_all_policies(study, stages)})


def study_figure_settings(study: Study, figure: str, stages: Sequence[str]) -> str:
    """Settings of a figure over all tasks and policies, as one sorted-key JSON string."""
    return _drawn(study, {figure: stages}, _of_all_policies(study, stages))


def figure_settings(study: Study, reads: Mapping[str, Sequence[str]], policy: str, variant: str | None = None) -> str:
    """Settings of figures of one policy, each with the stages whose stores it reads, as one sorted-key JSON string."""
    stages = sorted({stage for of_figure in reads.values() for stage in of_figure})
    return _drawn(study, reads, {policy: {stage: _stage_values(study, stage, policy, variant) for stage in stages}})


def _drawn(study: Study, reads: Mapping[str, Sequence[str]], upstream: dict[str, Any]) -> str:
    figures = {figure: {"reads": stages, "settings": settings_of(study.figures, figure)} for figure, stages in reads.items()}
    return _to_json({"upstream": upstream, "style": study.figures.style, "figures": figures})


def _of_all_policies(study: Study, stages: Sequence[str]) -> dict[str, Any]:
    learnt = ["_".join(study.learnt_policies(task)) for task in study.modelled_tasks] if "recovery" in stages else []
    policies = dict.fromkeys([*study.policies.names, *learnt])
    return {policy: {s: _stage_values(study, s, policy) for s in stages} for policy in policies}


def _stage_values(study: Study, stage: str, policy: str, variant: str | None = None) -> dict[str, Any]:
    sections = {name: getattr(study.policies, name) for name in policies_in(policy)}
    expert = sections.get("expert")
    if isinstance(expert, ExpertPolicy) and expert.source == "shipped":  # how to train changes nothing then
        sections["expert"] = expert.model_copy(update={"training": TrainingSettings()})
    values = {name: getattr(study, name) for name in STAGES[stage].model_fields}
    values["policies"] = PolicySettings.model_validate(sections)
    if variant and "jacobians" in values:
        values["jacobians"] = JacobianSettings.of_variant(variant)
    for section in ("embedding", "ablation", "world_models"):
        if section in values:  # which tasks there are changes none of them
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
