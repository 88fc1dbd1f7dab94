"""The configuration: what is valid, what is refused and how."""

import copy
import json
import re
import typing
from pathlib import Path

import pytest
import yaml

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.settings.training import PolicyStage
from dynamic_sparsity.settings.world_models import WorldModelStage
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
THREE = {"expert": {}, "noise": {}, "zero": {}}


def changed(path: str, value) -> dict:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section[key]
    section[last] = value
    return config


def test_config_yaml_spells_out_the_defaults():
    study = studies.load_study(CONFIG)
    everyone = {"expert": {}, "noise": {}, "zero": False}
    bare = studies.load_study({"tasks": CONFIG["tasks"], "policies": everyone, "seeds": CONFIG["seeds"]})
    assert study == bare


def test_config_yaml_has_every_key_and_a_comment_above_each():
    lines = (ROOT / "config.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        is_key = ":" in line and not line.lstrip().startswith(("#", "-"))
        if is_key:
            assert lines[number - 1].lstrip().startswith("#"), f"line {number + 1} has no comment: {line}"

    def check(model, section, key):
        assert set(section) == set(model.model_fields), key
        for name, value in section.items():
            annotation = model.model_fields[name].annotation
            kinds = [] if typing.get_origin(annotation) is dict else [annotation, *typing.get_args(annotation)]
            alternatives = [kind for kind in kinds if hasattr(kind, "model_fields")]
            if alternatives and value:  # neither skipped (false) nor empty by default
                check(alternatives[0], value, f"{key}.{name}")

    check(studies.Study, CONFIG, "config.yaml")


@pytest.mark.parametrize("study", sorted((ROOT / "workflow" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_other_studies_are_valid_on_top_of_it(study):
    from snakemake.utils import update_config

    config = copy.deepcopy(CONFIG)
    update_config(config, yaml.safe_load(study.read_text()))  # what --configfile does
    studies.load_study(config, str(study))


def test_an_overriding_study_can_drop_a_policy():
    study = studies.load_study({**CONFIG, "policies": {"noise": False, "zero": {}}})
    assert study.policies.names == ["zero"]
    assert json.loads(dependencies.stage_settings(study, "rollouts", "zero"))["policies"] == {"zero": {}}


def test_policies_beside_the_first_act_in_fewer_seeds_and_have_less():
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
    assert "CheetahRun" not in only_zero.modelled_tasks and "left out of CheetahRun: policies.zero never" in only_zero.notice


def test_without_a_shipped_expert_the_others_act():
    study = studies.load_study({**CONFIG, "tasks": ["CartpoleBalance", "PendulumSwingup"]})
    found, notice = studies.with_experts(study, ["CartpoleBalance"])
    assert found.policies_of("PendulumSwingup") == ["noise"] and found.policies_of("CartpoleBalance")[0] == "expert"
    assert "No expert is shipped for PendulumSwingup" in notice
    assert studies.with_experts(found, ["CartpoleBalance"]) == (found, None)
    trained = studies.load_study({**CONFIG, "policies": {"expert": "train"}})
    assert studies.with_experts(trained, []) == (trained, None)
    asked = {"tasks": ["PendulumSwingup"], "policies": ["expert"]}
    needed = studies.load_study({**CONFIG, "tasks": ["CartpoleBalance", "PendulumSwingup"], "world_models": asked})
    found, _ = studies.with_experts(needed, ["CartpoleBalance"])
    assert "World models are left out of PendulumSwingup: none of world_models.policies = ['expert'] acts" in found.notice
    alone = studies.load_study({**CONFIG, "tasks": ["PendulumSwingup"], "policies": {"expert": {}}})
    with pytest.raises(UserError, match=r"shipped for PendulumSwingup \(there are: CartpoleBalance\), and no other policy"):
        studies.with_experts(alone, ["CartpoleBalance"])


def test_the_schema_accepts_and_refuses_what_the_models_do():
    import jsonschema

    schema = studies.json_schema()
    jsonschema.validate(CONFIG, schema)
    for path, value in (("seeds", [-1]), ("rollouts.episodes", 0), ("sparsity.threshold", 0.0), ("tasks", ["Nope"])):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(changed(path, value), schema)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("tasks", ["CheetahRum"], ["CheetahRum", "CheetahRun"]),
        ("tasks", [], ["tasks"]),
        ("tasks", ["FishSwim", "FishSwim"], ["FishSwim", "more than once"]),
        ("tasks", "CheetahRun", ["tasks", "CheetahRun"]),
        ("tasks", ["../etc"], ["../etc"]),
        ("seeds", [0, 0], ["seeds", "more than once"]),
        ("seeds", [-1], ["seeds.0", "-1", "greater than or equal to 0"]),
        ("seeds", [1.5], ["seeds.0", "1.5"]),
        ("seeds", [True], ["seeds.0", "True"]),
        ("rollouts.episodes", 0, ["rollouts.episodes", "0", "greater than or equal to 1"]),
        ("rollouts.steps", "many", ["rollouts.steps", "many"]),
        ("task_policies", {"CheetahRunn": ["noise"]}, ["task_policies", "CheetahRunn", "CheetahRun"]),
        ("task_policies", {"CheetahRun": []}, ["task_policies.CheetahRun is empty"]),
        ("task_policies", {"CheetahRun": ["agent"]}, ["task_policies.CheetahRun", "agent"]),
        ("ablation.variants", ["exactly"], ["ablation.variants.0", "'exactly'", "a method (exact, unrolled"]),
        ("rollouts.stpes", 10, ["rollouts.stpes", "unknown key", "steps"]),
        ("sparsity.threshold", 0.0, ["sparsity.threshold", "0.0", "greater than 0"]),
        ("sparsity.threshold", float("nan"), ["sparsity.threshold", "nan"]),
        ("sparsity.threshold", float("inf"), ["sparsity.threshold", "inf"]),
        ("sparsity.threshold", -1e-12, ["sparsity.threshold"]),
        ("sparsity.sweep", [1e-3, 1e-3], ["sparsity.sweep", "more than once"]),
        ("jacobians.method", "reverse", ["jacobians.method", "reverse", "unrolled"]),
        ("jacobians.precision", "float16", ["jacobians.precision", "float16", "float32", "float64"]),
        ("policies", {}, ["policies", "noise", "zero"]),
        ("policies.agent", {}, ["policies.agent", "unknown key", "expert", "noise", "zero"]),
        ("policies.expert", "retrain", ["policies.expert.source", "'retrain'", "'shipped' or 'train'"]),
        (
            "policies.expert",
            {"training": {"recipe": "large"}},
            ["policies.expert.training.recipe", "'large'", "'playground'"],
        ),
        ("policies.expert", {"training": {"overrides": {"num_env": 8}}}, ["overrides.num_env", "unknown key", "num_envs"]),
        ("policies.expert", {"training": {"overrides": {"num_envs": 8.5}}}, ["overrides.num_envs", "8.5", "integer"]),
        (
            "policies.expert",
            {"training": {"overrides": {"discounting": -1.0}}},
            ["overrides.discounting", "-1.0", "greater than 0"],
        ),
        (
            "policies.expert",
            {"training": {"overrides": {"learning_rate": "fast"}}},
            ["overrides.learning_rate", "'fast'", "number"],
        ),
        (
            "policies.expert",
            {"training": {"overrides": {"learning_rate_schedule": "LINEAR"}}},
            ["learning_rate_schedule", "'LINEAR'", "'NONE' or 'ADAPTIVE_KL'"],
        ),
        ("embedding.tasks", ["FingerTurn"], ["embedding.tasks", "FingerTurn", "FingerTurnEasy"]),
        ("embedding", {"max_points": 24}, ["embedding", "max_points = 24", "sequence_steps = 24"]),
        ("policies.noise.beta", -1.0, ["policies.noise.beta", "-1.0"]),
        ("resampling.confidence", 1.0, ["resampling.confidence", "1.0", "less than 1"]),
        ("figures.pattern_timeline.episode", 7, ["figures.pattern_timeline.episode", "7", "0 to 3"]),
        ("figures.zero_fractoin", {}, ["figures.zero_fractoin", "zero_fraction"]),
        ("figures.sparsity_histogram.bin_width", 0.3, ["bin_width", "0.3", "0.333333"]),
        ("figures.sparsity_histogram.bin_width", 1e-9, ["bin_width", "0.001"]),
        ("rollouts", 5, ["rollouts", "5", "mapping", "episodes", "steps"]),
        ("policies.zero", {"a": 1}, ["policies.zero.a", "no keys"]),
        ("policies", {"noise": False}, ["policies", "noise", "zero"]),
        ("unknown", 1, ["unknown", "tasks", "seeds"]),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_is_allowed(path, value, named):
    with pytest.raises(UserError) as caught:
        studies.load_study(changed(path, value))
    for words in named:
        assert words in str(caught.value), f"{words!r} is not in: {caught.value}"


def test_all_mistakes_are_reported_at_once():
    config = changed("rollouts.episodes", 0)
    config["sparsity"]["threshold"] = -1.0
    with pytest.raises(UserError) as caught:
        studies.load_study(config)
    assert "rollouts.episodes" in str(caught.value) and "sparsity.threshold" in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert yaml.safe_load("x: 1e-10")["x"] == "1e-10", "YAML 1.1 changed its mind: the validator can go"
    assert studies.load_study(changed("sparsity.threshold", "1e-10")).sparsity.threshold == 1e-10


def test_what_the_command_line_hands_over_as_text_is_what_it_says():
    """Snakemake's `--config 'rollouts={steps: 50}'` arrives as {"rollouts": {"steps": "50"}}."""
    config = {**CONFIG, "rollouts": {"steps": "50"}, "sparsity": {"threshold": "0.001"}}
    study = studies.load_study({**config, "policies": {"expert": "train", "noise": "false", "zero": ""}})
    assert study.rollouts.steps == 50 and study.sparsity.threshold == 0.001
    assert study.policies.names == ["expert", "zero"]


def test_stage_settings_hold_what_the_stage_and_those_before_it_need_and_nothing_else():
    study = studies.load_study({**CONFIG, "policies": {"noise": {}, "zero": None}})
    given = json.loads(dependencies.stage_settings(study, "sparsity", "zero"))
    assert set(given) == {"policies", "rollouts", "jacobians", "sparsity"}
    assert given["policies"] == {"zero": {}}
    assert SparsityStage.model_validate_json(json.dumps(given)).sparsity == study.sparsity
    assert dependencies.stage_settings(study, "rollouts", "noise") != dependencies.stage_settings(study, "rollouts", "zero")


@pytest.mark.parametrize("variant", ["implicit", "unrolled-converged-float32", "finite"])
def test_settings_of_a_path_are_those_of_its_method(variant):
    study = studies.load_study(CONFIG)
    expected = JacobianSettings.of_variant(variant).model_dump()
    model = json.loads(dependencies.world_model_settings(study, "expert", "mlp", variant))
    figure = json.loads(dependencies.figure_settings(study, {"survival": ["survival"]}, "expert", variant))
    for stage in STAGES:
        values = json.loads(dependencies.stage_settings(study, stage, "expert", variant))
        assert values.get("jacobians", expected) == expected, stage
    assert model["jacobians"] == figure["upstream"]["expert"]["survival"]["jacobians"] == expected
    default = study.jacobians.variant
    assert dependencies.stage_settings(study, "summary", "expert") == dependencies.stage_settings(
        study, "summary", "expert", default
    )


def test_the_sweep_always_includes_the_threshold():
    study = studies.load_study(changed("sparsity.threshold", 3e-7))
    assert 3e-7 in study.sparsity.thresholds and study.sparsity.thresholds == sorted(study.sparsity.thresholds)


def test_short_forms_of_the_expert():
    shipped, trained = (studies.load_study({**CONFIG, "policies": value}) for value in ("expert", {"expert": "train"}))
    assert shipped.policies.names == trained.policies.names == ["expert"]
    assert shipped.policies.expert.source == "shipped" and trained.policies.expert.source == "train"


def test_how_an_expert_is_trained_matters_where_it_is_trained():
    def given(source, steps):
        expert = {"source": source, "training": {"overrides": {"num_timesteps": steps}}}
        study = studies.load_study({**CONFIG, "policies": {"expert": expert}})
        return dependencies.training_settings(study), dependencies.stage_settings(study, "rollouts", "expert")

    assert given("train", 1000)[0] != given("train", 2000)[0] and given("train", 1000)[1] != given("train", 2000)[1]
    assert given("shipped", 1000)[1] == given("shipped", 2000)[1]
    PolicyStage.model_validate_json(given("train", 1000)[0])


def test_embedded_tasks_are_those_of_the_study():
    study = studies.load_study({**CONFIG, "tasks": ["CheetahRun", "FingerSpin"]})
    assert study.embedded_tasks == ["FingerSpin"]


def test_world_models_are_left_out_where_they_cannot_be():
    small = {**CONFIG, "seeds": [0], "rollouts": {"episodes": 2}}
    found = studies.load_study(small)
    assert not found.modelled_tasks and "rollouts.episodes = 2 in each of 1 seeds" in found.notice
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
    assert "never changes the controls" in studies.load_study({**CONFIG, "policies": {"zero": {}}}).notice


def test_the_notice_says_what_is_learnt_from_whom_and_what_is_not():
    mixed = {"tasks": ["CheetahRun", "WalkerRun", "PendulumSwingup"], "policies": ["expert", "noise", "zero"]}
    of_some = {"policies": {"expert": {}, "noise": {}}, "task_policies": {"WalkerRun": ["noise"]}}
    assert studies.load_study({**CONFIG, **of_some, "world_models": mixed}).notice.splitlines() == [
        "World models learn CheetahRun from episodes of expert, noise.",
        "World models learn WalkerRun from episodes of noise.",
        "world_models.tasks also lists PendulumSwingup: not in tasks, so not learnt.",
    ]
    nothing = studies.load_study({**CONFIG, "tasks": ["WalkerRun"], "world_models": {"tasks": ["PendulumSwingup"]}})
    assert nothing.notice.splitlines()[0] == "World models learn none of these tasks."
    few = studies.load_study({**CONFIG, "seeds": [0], "rollouts": {"episodes": 1, "steps": 1000}})
    assert "learn CheetahRun" not in few.notice and "left out of CheetahRun" in few.notice


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": [0, 1], "rollouts": {"episodes": 1}}, "rollouts.episodes = 1 in each of 2 seeds .* make it at least 2"),
        ({"policies": {"zero": {}}}, r"policies.zero never changes the controls"),
    ],
)
def test_world_models_that_are_asked_for_are_left_out_with_a_notice_where_there_is_no_data(change, named):
    study = studies.load_study({**CONFIG, **change, "world_models": {"tasks": ["FingerSpin", "FishSwim"]}})
    assert study.modelled_tasks == [] and re.search(f"World models are left out of FingerSpin: .*{named}", study.notice)


@pytest.mark.parametrize(
    ("change", "asked", "named"),
    [
        ({"tasks": ["FishSwim"]}, {}, "FishSwim has free or ball joints"),
        ({}, {"policies": ["zero"]}, r"world_models.policies = \['zero'\], but none .* name one of expert, noise"),
    ],
)
def test_world_models_that_cannot_be_are_refused(change, asked, named):
    with pytest.raises(UserError, match=named):
        studies.load_study({**CONFIG, **change, "world_models": {"tasks": ["FingerSpin", "FishSwim"], **asked}})


def test_a_model_cannot_have_the_name_of_a_control():
    with pytest.raises(UserError, match="'truth' is the name of a control"):
        studies.load_study({**CONFIG, "world_models": {"models": {"truth": {}}}})


def test_how_models_are_scored_trains_none_again():
    one, other = (
        dependencies.world_model_settings(studies.load_study({**CONFIG, **changes}), "expert", "mlp")
        for changes in ({}, {"world_models": {"margins": [3], "thresholds": [0.5]}, "resampling": {"confidence": 0.9}})
    )
    assert one == other
    with pytest.raises(UserError, match=r"world_models.models has no 'nosuch', only mlp,"):
        dependencies.world_model_settings(studies.load_study(CONFIG), "expert", "nosuch")


@pytest.mark.parametrize(
    ("models", "named"),
    [
        ({"mlp": {"widht": 3}}, r"world_models.models.mlp.widht: unknown key.* width"),
        ({"mlp": 64}, r"world_models.models.mlp: 64: must be a mapping; its keys may be network, trained, width"),
        (["mlp"], r"world_models.models: \['mlp'\]: must be a mapping; its keys may be names of your choice"),
    ],
)
def test_mistakes_in_a_model_are_named(models, named):
    with pytest.raises(UserError, match=named):
        studies.load_study({**CONFIG, "world_models": {"models": models}})


def test_an_overriding_study_can_drop_a_model():
    models = {**CONFIG["world_models"]["models"], "mlp": "false", "gated": False}
    assert "gated" not in studies.load_study({**CONFIG, "world_models": {"models": models}}).world_models.models


def test_a_null_that_is_not_the_default_reaches_its_stage():
    study = studies.load_study({**CONFIG, "world_models": {"models": {"mlp": {"jacobian_columns": None}}}})
    given = WorldModelStage.model_validate_json(dependencies.world_model_settings(study, "expert", "mlp"))
    assert given.world_models.models["mlp"].jacobian_columns is None
    assert json.loads(dependencies.stage_settings(study, "rollouts", "expert"))["policies"].keys() == {"expert"}
