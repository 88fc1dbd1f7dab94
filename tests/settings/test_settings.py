"""The configuration: config.yaml and the other studies, valid values, and messages about mistakes."""

import copy
import json
import typing

import pytest
import yaml

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.policy_kinds import POLICY_KINDS
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies
from tests.helpers.config import CONFIG, ROOT, changed

FILE = yaml.safe_load((ROOT / "config.yaml").read_text())


def test_config_yaml_spells_out_the_defaults():
    everyone = {"expert": {}, "noise": {}, **{name: False for name in POLICY_KINDS if name != "noise"}}
    default = studies.load_study({"tasks": CONFIG["tasks"], "policies": everyone, "seeds": CONFIG["seeds"]})
    assert studies.load_study(FILE) == default, "config.yaml holds another study: keep it elsewhere (`--directory`)"


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

    check(studies.Study, FILE, "config.yaml")


@pytest.mark.parametrize("study", sorted((ROOT / "workflow" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_other_studies_are_valid_overrides(study):
    from snakemake.utils import update_config

    config = copy.deepcopy(CONFIG)
    update_config(config, yaml.safe_load(study.read_text()))  # as --configfile does
    studies.load_study(config, str(study))


def test_the_schema_and_the_models_agree():
    import jsonschema

    schema = studies.json_schema()
    jsonschema.validate(CONFIG, schema)
    for path, value in (("seeds", [-1]), ("rollouts.episodes", 0), ("sparsity.threshold", 0.0), ("tasks", ["Nope"])):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(changed(path, value), schema)


@pytest.mark.parametrize(
    ("path", "value", "words"),
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
def test_a_message_names_the_key_the_value_and_what_is_allowed(path, value, words):
    with pytest.raises(UserError) as caught:
        studies.load_study(changed(path, value))
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def test_all_mistakes_are_reported_at_once():
    config = changed("rollouts.episodes", 0)
    config["sparsity"]["threshold"] = -1.0
    with pytest.raises(UserError) as caught:
        studies.load_study(config)
    assert "rollouts.episodes" in str(caught.value) and "sparsity.threshold" in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert yaml.safe_load("x: 1e-10")["x"] == "1e-10", "YAML reads this as a number now: the conversion can be removed"
    assert studies.load_study(changed("sparsity.threshold", "1e-10")).sparsity.threshold == 1e-10


def test_values_that_the_command_line_passes_as_text_are_converted():
    """Snakemake's `--config 'rollouts={steps: 50}'` arrives as {"rollouts": {"steps": "50"}}."""
    config = {**CONFIG, "rollouts": {"steps": "50"}, "sparsity": {"threshold": "0.001"}}
    study = studies.load_study({**config, "policies": {"expert": "train", "noise": "false", "zero": ""}})
    assert study.rollouts.steps == 50 and study.sparsity.threshold == 0.001
    assert study.policies.names == ["expert", "zero"]


def test_stage_settings_are_those_of_the_stage_and_of_the_stages_before_it():
    study = studies.load_study({**CONFIG, "policies": {"noise": {}, "zero": None}})
    settings = json.loads(dependencies.stage_settings(study, "sparsity", "zero"))
    assert set(settings) == {"policies", "rollouts", "jacobians", "sparsity"}
    assert settings["policies"] == {"zero": {}}
    assert SparsityStage.model_validate_json(json.dumps(settings)).sparsity == study.sparsity
    assert dependencies.stage_settings(study, "rollouts", "noise") != dependencies.stage_settings(study, "rollouts", "zero")


@pytest.mark.parametrize("variant", ["implicit", "unrolled-converged-float32", "finite"])
def test_settings_follow_the_method_of_a_path(variant):
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


def test_embedded_tasks_are_those_of_the_study():
    study = studies.load_study({**CONFIG, "tasks": ["CheetahRun", "FingerSpin"]})
    assert study.embedded_tasks == ["FingerSpin"]
