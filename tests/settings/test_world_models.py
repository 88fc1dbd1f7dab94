"""World models in the configuration: which are trained, on which episodes, and what is refused."""

import json
import re

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import WorldModelStage
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies
from tests.helpers.config import CONFIG, notice_of


def test_tasks_are_left_out_if_world_models_cannot_learn_them():
    small = {**CONFIG, "seeds": [0], "rollouts": {"episodes": 2}}
    study = studies.load_study(small)
    assert not study.modelled_tasks
    assert "2 episodes (rollouts.episodes = 2, study seeds: 1) are too few" in notice_of(study)
    assert studies.load_study({**small, "world_models": {"tasks": []}}).notice is None
    whole = studies.load_study(CONFIG)
    assert whole.modelled_tasks == ["CheetahRun", "ReacherHard", "FingerSpin"]
    assert whole.notice == "World models learn CheetahRun, ReacherHard, FingerSpin from episodes of expert."
    everywhere = {**CONFIG, "world_models": {"tasks": None}}
    assert studies.load_study(everywhere).modelled_tasks == CONFIG["tasks"]
    assert (
        studies.load_study(everywhere).notice == f"World models learn {', '.join(CONFIG['tasks'])} from episodes of expert."
    )
    swimming = {**everywhere, "tasks": ["FishSwim", "FingerSpin"]}
    assert studies.load_study(swimming).modelled_tasks == ["FingerSpin"]
    assert "never changes the controls" in notice_of(studies.load_study({**CONFIG, "policies": {"zero": {}}}))


def test_the_notice_says_which_tasks_are_learnt_from_which_policies():
    mixed = {"tasks": ["CheetahRun", "WalkerRun", "PendulumSwingup"], "policies": ["expert", "noise", "zero"]}
    of_some = {"policies": {"expert": {}, "noise": {}}, "task_policies": {"WalkerRun": ["noise"]}}
    assert notice_of(studies.load_study({**CONFIG, **of_some, "world_models": mixed})).splitlines() == [
        "World models learn CheetahRun from episodes of expert, noise.",
        "World models learn WalkerRun from episodes of noise.",
        "world_models.tasks also lists PendulumSwingup: skipped, not among the study's tasks.",
    ]
    no_task = studies.load_study({**CONFIG, "tasks": ["WalkerRun"], "world_models": {"tasks": ["PendulumSwingup"]}})
    assert notice_of(no_task).splitlines()[0] == "World models learn none of these tasks."
    few = studies.load_study({**CONFIG, "seeds": [0], "rollouts": {"episodes": 1, "steps": 1000}})
    assert "learn CheetahRun" not in notice_of(few) and "left out of CheetahRun" in notice_of(few)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"seeds": [0, 1], "rollouts": {"episodes": 1}},
            r"2 episodes \(rollouts.episodes = 1, study seeds: 2\) are too few .* to at least 2",
        ),
        ({"policies": {"zero": {}}}, r"policies.zero never changes the controls"),
    ],
)
def test_requested_world_models_without_data_are_left_out_with_a_notice(changes, message):
    study = studies.load_study({**CONFIG, **changes, "world_models": {"tasks": ["FingerSpin", "FishSwim"]}})
    assert study.modelled_tasks == []
    assert re.search(f"World models are left out of FingerSpin: .*{message}", notice_of(study))


@pytest.mark.parametrize(
    ("changes", "of_models", "message"),
    [
        ({"tasks": ["FishSwim"]}, {}, "FishSwim has free or ball joints"),
        ({}, {"policies": ["zero"]}, r"world_models.policies = \['zero'\]: none of them acts .* name one of expert, noise"),
    ],
)
def test_world_models_that_cannot_learn_are_refused(changes, of_models, message):
    with pytest.raises(UserError, match=message):
        studies.load_study({**CONFIG, **changes, "world_models": {"tasks": ["FingerSpin", "FishSwim"], **of_models}})


def test_a_model_cannot_have_the_name_of_a_control():
    with pytest.raises(UserError, match="'truth' is the name of a control"):
        studies.load_study({**CONFIG, "world_models": {"models": {"truth": {}}}})


def test_settings_of_scores_train_no_model_again():
    before, after = (
        dependencies.world_model_settings(studies.load_study({**CONFIG, **changes}), "expert", "mlp")
        for changes in ({}, {"world_models": {"margins": [3], "thresholds": [0.5]}, "resampling": {"confidence": 0.9}})
    )
    assert before == after
    with pytest.raises(UserError, match=r"world_models.models has no 'nosuch', only mlp,"):
        dependencies.world_model_settings(studies.load_study(CONFIG), "expert", "nosuch")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"mlp": {"widht": 3}}, r"world_models.models.mlp.widht: unknown key.* width"),
        ({"mlp": 64}, r"world_models.models.mlp: 64: must be a mapping; its keys may be network, trained, width"),
        (["mlp"], r"world_models.models: \['mlp'\]: must be a mapping; its keys may be names of your choice"),
    ],
)
def test_mistakes_in_a_model_are_named(models, message):
    with pytest.raises(UserError, match=message):
        studies.load_study({**CONFIG, "world_models": {"models": models}})


def test_an_overriding_study_can_drop_a_model():
    models = {**CONFIG["world_models"]["models"], "mlp": "false", "gated": False}
    assert "gated" not in studies.load_study({**CONFIG, "world_models": {"models": models}}).world_models.models


def test_a_null_that_is_not_the_default_reaches_its_stage():
    study = studies.load_study({**CONFIG, "world_models": {"models": {"mlp": {"jacobian_columns": None}}}})
    stage = WorldModelStage.model_validate_json(dependencies.world_model_settings(study, "expert", "mlp"))
    assert stage.world_models.models["mlp"].jacobian_columns is None
    assert json.loads(dependencies.stage_settings(study, "rollouts", "expert"))["policies"].keys() == {"expert"}
