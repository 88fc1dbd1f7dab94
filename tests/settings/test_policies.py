"""Policies in the configuration: their tasks and study seeds, and experts that are shipped or trained."""

import json

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.training import PolicyStage
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies
from tests.helpers.config import CONFIG, notice_of

THREE = {"expert": {}, "noise": {}, "zero": {}}


def test_an_overriding_study_can_drop_a_policy():
    study = studies.load_study({**CONFIG, "policies": {"noise": False, "zero": {}}})
    assert study.policies.names == ["zero"]
    assert json.loads(dependencies.stage_settings(study, "rollouts", "zero"))["policies"] == {"zero": {}}


def test_policies_other_than_the_first_act_in_fewer_seeds_and_have_fewer_products():
    study = studies.load_study({**CONFIG, "policies": THREE, "seeds": [3, 1, 2]})
    assert [study.seeds_of("CheetahRun", policy) for policy in study.policies.names] == [[3, 1, 2], [3], [3]]
    assert study.full_policies("CheetahRun") == ["expert"]
    assert study.who_acts == "Who acts in all tasks: expert (seeds 3, 1, 2), noise (seeds 3), zero (seeds 3)."
    study = studies.load_study(
        {**CONFIG, "policies": {"noise": {}, "zero": {}}, "comparison": {"seeds": None, "full": True}}
    )
    assert study.seeds_of("CheetahRun", "noise") == study.seeds_of("CheetahRun", "zero") == study.seeds
    assert study.full_policies("CheetahRun") == ["noise", "zero"]


def test_policies_are_named_by_task():
    study = studies.load_study({**CONFIG, "policies": THREE, "task_policies": {"CheetahRun": ["zero", "noise"]}})
    assert study.policies_of("CheetahRun") == ["noise", "zero"] and study.policies_of("BallInCup")[0] == "expert"
    assert study.seeds_of("CheetahRun", "noise") == study.seeds and study.seeds_of("BallInCup", "noise") == study.seeds[:1]
    assert "Who acts in 7 tasks: expert" in study.who_acts and "Who acts in CheetahRun: noise (seeds 0, 1)" in study.who_acts
    assert "CheetahRun" in study.modelled_tasks
    only_zero = studies.load_study({**CONFIG, "policies": THREE, "task_policies": {"CheetahRun": ["zero"]}})
    assert "CheetahRun" not in only_zero.modelled_tasks
    assert "left out of CheetahRun: policies.zero never" in notice_of(only_zero)


def test_other_policies_act_in_tasks_without_a_shipped_expert():
    study = studies.load_study({**CONFIG, "tasks": ["CartpoleBalance", "PendulumSwingup"]})
    checked, notice = studies.with_experts(study, ["CartpoleBalance"])
    assert checked.policies_of("PendulumSwingup") == ["noise"] and checked.policies_of("CartpoleBalance")[0] == "expert"
    assert notice and "No expert is shipped for PendulumSwingup" in notice
    assert studies.with_experts(checked, ["CartpoleBalance"]) == (checked, None)
    trained = studies.load_study({**CONFIG, "policies": {"expert": "train"}})
    assert studies.with_experts(trained, []) == (trained, None)
    of_experts = {"tasks": ["PendulumSwingup"], "policies": ["expert"]}
    study = studies.load_study({**CONFIG, "tasks": ["CartpoleBalance", "PendulumSwingup"], "world_models": of_experts})
    checked, _ = studies.with_experts(study, ["CartpoleBalance"])
    left_out = "World models are left out of PendulumSwingup: none of world_models.policies = ['expert'] acts"
    assert left_out in notice_of(checked)
    experts_only = studies.load_study({**CONFIG, "tasks": ["PendulumSwingup"], "policies": {"expert": {}}})
    with pytest.raises(UserError, match=r"shipped for PendulumSwingup \(only for CartpoleBalance\), and no other policy"):
        studies.with_experts(experts_only, ["CartpoleBalance"])


def test_short_forms_of_the_expert():
    shipped, trained = (studies.load_study({**CONFIG, "policies": value}) for value in ("expert", {"expert": "train"}))
    assert shipped.policies.names == trained.policies.names == ["expert"]
    assert shipped.policies.expert and shipped.policies.expert.source == "shipped"
    assert trained.policies.expert and trained.policies.expert.source == "train"


def test_settings_of_training_matter_only_if_experts_are_trained():
    def settings(source, steps):
        expert = {"source": source, "training": {"overrides": {"num_timesteps": steps}}}
        study = studies.load_study({**CONFIG, "policies": {"expert": expert}})
        return dependencies.training_settings(study), dependencies.stage_settings(study, "rollouts", "expert")

    assert settings("train", 1000)[0] != settings("train", 2000)[0]
    assert settings("train", 1000)[1] != settings("train", 2000)[1]
    assert settings("shipped", 1000)[1] == settings("shipped", 2000)[1]
    PolicyStage.model_validate_json(settings("train", 1000)[0])
