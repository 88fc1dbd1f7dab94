"""The configuration: what is valid, what is refused and how."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from dynamic_sparsity import settings
from dynamic_sparsity.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path: str, value) -> dict:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section[key]
    section[last] = value
    return config


def test_config_yaml_spells_out_the_defaults():
    study = settings.load_study(CONFIG)
    bare = settings.load_study({"tasks": CONFIG["tasks"], "policies": {"noise": {}}, "seeds": CONFIG["seeds"]})
    assert study == bare


def test_config_yaml_has_every_key_and_a_comment_above_each():
    lines = (ROOT / "config.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        is_key = ":" in line and not line.lstrip().startswith(("#", "-"))
        if is_key:
            assert lines[number - 1].lstrip().startswith("#"), f"line {number + 1} has no comment: {line}"

    def keys(model):
        return set(model.model_fields) if hasattr(model, "model_fields") else set()

    assert set(CONFIG) == keys(settings.Study)
    for name in CONFIG["figures"]:
        assert set(CONFIG["figures"][name]) == keys(settings.FigureSettings.model_fields[name].annotation), name
    assert set(CONFIG["figures"]) == keys(settings.FigureSettings)


@pytest.mark.parametrize("study", sorted((ROOT / "workflow" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_other_studies_are_valid_on_top_of_it(study):
    from snakemake.utils import update_config

    config = copy.deepcopy(CONFIG)
    update_config(config, yaml.safe_load(study.read_text()))  # what --configfile does
    settings.load_study(config, str(study))


def test_an_overriding_study_can_drop_a_policy():
    study = settings.load_study({**CONFIG, "policies": {"noise": False, "zero": {}}})
    assert study.policies.names == ["zero"]
    assert json.loads(settings.stage_settings(study, "rollouts", "zero"))["policies"] == {"zero": {}}


def test_the_committed_schema_is_the_generated_one():
    committed = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text())
    assert committed == json.loads(json.dumps(settings.json_schema())), "run `make schema`"


def test_the_schema_accepts_and_refuses_what_the_models_do():
    import jsonschema

    schema = settings.json_schema()
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
        ("rollouts.stpes", 10, ["rollouts.stpes", "unknown key", "steps"]),
        ("sparsity.threshold", 0.0, ["sparsity.threshold", "0.0", "greater than 0"]),
        ("sparsity.threshold", float("nan"), ["sparsity.threshold", "nan"]),
        ("sparsity.threshold", float("inf"), ["sparsity.threshold", "inf"]),
        ("sparsity.threshold", -1e-12, ["sparsity.threshold"]),
        ("sparsity.sweep", [1e-3, 1e-3], ["sparsity.sweep", "more than once"]),
        ("jacobians.method", "reverse", ["jacobians.method", "reverse", "unrolled"]),
        ("jacobians.precision", "float16", ["jacobians.precision", "float16", "float32", "float64"]),
        ("policies", {}, ["policies", "noise", "zero"]),
        ("policies.expert", {}, ["policies.expert", "unknown key", "noise", "zero"]),
        ("policies.noise.beta", -1.0, ["policies.noise.beta", "-1.0"]),
        ("resampling.confidence", 1.0, ["resampling.confidence", "1.0", "less than 1"]),
        ("figures.pattern_timeline.episode", 7, ["figures.pattern_timeline.episode", "7", "0 to 2"]),
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
        settings.load_study(changed(path, value))
    for words in named:
        assert words in str(caught.value), f"{words!r} is not in: {caught.value}"


def test_all_mistakes_are_reported_at_once():
    config = changed("rollouts.episodes", 0)
    config["sparsity"]["threshold"] = -1.0
    with pytest.raises(UserError) as caught:
        settings.load_study(config)
    assert "rollouts.episodes" in str(caught.value) and "sparsity.threshold" in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert yaml.safe_load("x: 1e-10")["x"] == "1e-10", "YAML 1.1 changed its mind: the validator can go"
    assert settings.load_study(changed("sparsity.threshold", "1e-10")).sparsity.threshold == 1e-10


def test_stage_settings_hold_what_the_stage_and_those_before_it_need_and_nothing_else():
    study = settings.load_study({**CONFIG, "policies": {"noise": {}, "zero": None}})
    given = json.loads(settings.stage_settings(study, "sparsity", "zero"))
    assert set(given) == {"policies", "rollouts", "jacobians", "sparsity"}
    assert given["policies"] == {"zero": {}}
    assert settings.SparsityStage.model_validate_json(json.dumps(given)).sparsity == study.sparsity
    assert settings.stage_settings(study, "rollouts", "noise") != settings.stage_settings(study, "rollouts", "zero")


def test_the_sweep_always_includes_the_threshold():
    study = settings.load_study(changed("sparsity.threshold", 3e-7))
    assert 3e-7 in study.sparsity.thresholds and study.sparsity.thresholds == sorted(study.sparsity.thresholds)
