"""Stages refuse stores made with other settings than their study's, and stores that differ from each other, by name."""

import ast
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.settings.figures import FigureStage
from dynamic_sparsity.settings.sparsity import SparsitySettings
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.settings.tables import TableStage
from dynamic_sparsity.stages import _inputs
from dynamic_sparsity.stores import provenance as provenance_module
from dynamic_sparsity.stores import runs
from dynamic_sparsity.stores.agreement import _first_difference
from dynamic_sparsity.stores.opening import open_store
from dynamic_sparsity.stores.provenance import _version, provenance
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies
from tests.helpers.study_stores import OLD, READ, SIZES, STUDY, inputs, last_model, made, opened, settings_of, stage_of


@pytest.mark.parametrize("stage", READ)
def test_stores_of_one_study_agree(tmp_path, stage):
    read = opened(stage, inputs(tmp_path, stage))
    assert list(read) == READ[stage] and all(read.values())
    seeds = [data.attrs["seed"] for data in read[READ[stage][0]]]
    assert seeds == sorted(seeds)


CHANGES: dict[str, tuple[Any, ...]] = {
    "policies": ("noise", "scale", 0.05),
    "rollouts": ("episodes", 7),
    "jacobians": ("precision", "float32"),
    "sparsity": ("threshold", 1e-9),
    "resampling": ("seed", 5),
    "embedding": ("perplexity", 3.0),
    "world_models": ("target", "change"),
}
CASES = [
    (stage, kind, section)
    for stage, kinds in READ.items()
    for kind in kinds
    for section in STAGES[kind].model_fields
    if section in CHANGES
]


@pytest.mark.parametrize(("stage", "kind", "section"), CASES)
def test_every_setting_of_an_input_is_compared_with_the_study(tmp_path, stage, kind, section):
    change = section, *CHANGES[section]
    paths = inputs(tmp_path, stage, **{kind: {"changed": change}})
    keys, value = [str(key) for key in change[:-1]], change[-1]
    expected = settings_of(kind, model=last_model(kind))
    for key in keys:
        expected = expected[key]
    with pytest.raises(UserError) as caught:
        opened(stage, paths)
    message = str(caught.value)
    assert f"{paths[kind][-1]} was made with {'.'.join(keys)} = {value!r}, this study has {expected!r}" in message
    assert "delete it and run snakemake again" in message and "\n" not in message


def test_one_message_names_every_store_that_differs(tmp_path):
    other = STUDY.model_copy(update={"sparsity": SparsitySettings(sweep=[1e-3])})
    paths = [made(tmp_path, "sparsity", seed=seed, study=other) for seed in (0, 1)]
    with pytest.raises(
        UserError, match=rf"{paths[0]} was made with sparsity.sweep = .*delete it, and {paths[1]}, which differ"
    ):
        opened("summary", {"sparsity": paths})


def with_expert(**overrides):
    expert = {"source": "train", "training": {"overrides": overrides}}
    return studies.load_study(
        {
            "tasks": ["CartpoleBalance"],
            "policies": {"expert": expert},
            "seeds": [0],
            "rollouts": {"episodes": 2, "steps": 3},
            "world_models": {"tasks": []},
        }
    )


@pytest.mark.parametrize(
    ("before", "now", "difference"),
    [
        ({}, {"learning_rate": 1e-3}, "learning_rate not set, this study has 0.001"),
        ({"learning_rate": 1e-3}, {}, "learning_rate = 0.001, this study does not set it"),
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-3}, None),
        ({}, {}, None),
    ],
)
def test_a_key_that_one_side_does_not_set_is_a_difference(tmp_path, before, now, difference):
    path = made(tmp_path, "rollouts", study=with_expert(**before), policy="expert")
    stage = stage_of("jacobians", with_expert(**now), "expert")
    if difference is None:
        assert _inputs.open_input(stage, path, "rollouts").attrs["seed"] == 0
        return
    with pytest.raises(
        UserError, match=rf"{path} was made with policies\.expert\.training\.overrides\.{difference}: delete"
    ):
        _inputs.open_input(stage, path, "rollouts")


@pytest.mark.parametrize(("value", "other"), [(1, True), (0, False), ({}, {"a": 1}), ([1], [1, 2]), ("1", 1), (None, 0)])
def test_values_of_other_types_are_other_values(tmp_path, value, other):
    stage = {"policies": {"noise": {"scale": value}}}
    assert _first_difference({"policies": {"noise": {"scale": other}}}, stage) is not None
    assert _first_difference(copy.deepcopy(stage), stage) is None
    assert _first_difference({"policies": {"noise": {"scale": 1.0}}}, {"policies": {"noise": {"scale": 1}}}) is None


SEVERAL = [stage for stage in READ if stage not in ("jacobians", "ablation_jacobians", "sparsity", "durations")]


@pytest.mark.parametrize("package", SIMULATOR)
@pytest.mark.parametrize("stage", SEVERAL)
def test_results_of_another_simulator_are_refused(tmp_path, stage, package):
    kind = READ[stage][-1]
    now = {name: _version(name) for name in SIMULATOR}
    paths = inputs(tmp_path, stage, **{kind: {"made_by": {"rollouts": {**now, package: "0.0.1"}}}})
    with pytest.raises(UserError) as caught:
        opened(stage, paths)
    message = str(caught.value)
    for words in (str(paths[kind][-1]), f"{package} '0.0.1'", f"'{now[package]}'", "snakemake --cores all -R rollouts"):
        assert words in message


@pytest.mark.parametrize(
    ("stage", "kind"), [("summary", "jacobians"), ("world_models", "jacobians"), ("recovery", "world_models")]
)
def test_jacobians_and_world_models_of_several_simulators_are_refused(tmp_path, stage, kind):
    read = READ[stage][-1]
    with pytest.raises(UserError, match=rf"its {kind} were made with jax '1.0'.*-R {kind}"):
        opened(stage, inputs(tmp_path, stage, **{read: {"made_by": {kind: OLD}}}))


def test_jacobians_may_come_from_another_simulator_than_all_of_their_rollouts(tmp_path):
    old = made(tmp_path, "rollouts", made_by={"rollouts": OLD})
    rollout = _inputs.open_input(stage_of("jacobians"), old, "rollouts")
    versions = provenance("jacobians", {}, **runs.identity_of(rollout))["simulator_versions"]
    assert versions["rollouts"] == OLD and versions["jacobians"]["mujoco-mjx"] == _version("mujoco-mjx")
    odd = {"made_by": {"rollouts": OLD}}
    paths = {"rollouts": [old], **{kind: [made(tmp_path, kind, **odd)] for kind in ("jacobians", "sparsity")}}
    assert opened("world_models", paths)


def test_versions_of_packages_other_than_the_simulator_may_differ(tmp_path, monkeypatch):
    paths = [made(tmp_path, "sparsity", seed=0)]
    version = _version
    monkeypatch.setattr(
        provenance_module, "_version", lambda name: "0.1" if name in ("xarray", "zarr", "numpy") else version(name)
    )
    paths.append(made(tmp_path, "sparsity", seed=1))
    first, second = opened("summary", {"sparsity": paths})["sparsity"]
    assert first.attrs["versions"] != second.attrs["versions"]


def test_a_store_keeps_the_simulator_versions_of_its_inputs(tmp_path):
    """Recomputing the sparsity after an upgrade must not hide which simulator made the Jacobians."""
    jacobian = open_store(made(tmp_path, "jacobians", made_by={"rollouts": OLD, "jacobians": OLD}))
    sparsity = provenance("sparsity", {}, **runs.identity_of(jacobian))
    assert sparsity["simulator_versions"] == {"rollouts": OLD, "jacobians": OLD} and sparsity["versions"]["jax"] != "1.0"


@pytest.mark.parametrize(
    ("stage", "kind", "dim"),
    [
        *(("summary", "sparsity", dim) for dim in ("episode", "time")),
        *(("world_models", "jacobians", dim) for dim in ("episode", "time")),
        ("survival", "sparsity", "episode"),
    ],
)
def test_other_numbers_of_episodes_or_steps_are_refused(tmp_path, stage, kind, dim):
    paths = inputs(tmp_path, stage, **{kind: {"sizes": {dim: 1}, "length": 1}})
    key = {"episode": "episodes", "time": "steps"}[dim]
    with pytest.raises(UserError, match=rf"{paths[kind][-1]} has 1 {key}, its settings say rollouts\.{key} = {SIZES[dim]}"):
        opened(stage, paths)


def test_episodes_of_other_lengths_are_refused(tmp_path):
    paths = inputs(tmp_path, "world_models", sparsity={"length": 2})
    with pytest.raises(UserError, match=r"sparsity-1.zarr has episodes of \[2, 2\] steps, .*rollouts-1.zarr of \[3, 3\]"):
        opened("world_models", paths)


def test_a_copy_of_a_store_is_refused_beside_the_store(tmp_path):
    paths = [made(tmp_path, "sparsity", name=f"{number}.zarr") for number in (0, 1)]
    with pytest.raises(UserError, match=r"1.zarr and .*0.zarr hold the same \(kind sparsity, .*seed 0\): delete the one"):
        opened("summary", {"sparsity": paths})


@pytest.mark.parametrize(
    ("name", "value"),
    [("task", "FishSwim"), ("policy", "zero"), ("method", "implicit"), ("threshold", 1e-9), ("substeps", 9)],
)
def test_stores_of_different_runs_are_refused(tmp_path, name, value):
    paths = [
        made(tmp_path, "sparsity", seed=0, substeps=1),
        made(tmp_path, "sparsity", **{"seed": 1, "substeps": 1, name: value}),
    ]
    with pytest.raises(UserError, match=rf"sparsity-1.zarr is of {name} {value!r}, .*sparsity-0.zarr of "):
        opened("summary", {"sparsity": paths})
    with pytest.raises(UserError, match=rf"is of {name} {value!r}"):
        runs.identity_of(*(open_store(path) for path in paths))


def test_the_ablation_takes_jacobians_made_with_other_thresholds_but_no_other_settings(tmp_path):
    coarse = STUDY.model_copy(update={"ablation": STUDY.ablation.model_copy(update={"thresholds": [1e-3]})})
    paths = [made(tmp_path, "ablation_jacobians", seed=seed) for seed in (0, 1)]
    assert opened("ablation", {"ablation_jacobians": paths}, coarse)
    fewer = STUDY.model_copy(update={"ablation": STUDY.ablation.model_copy(update={"steps": 7})})
    with pytest.raises(UserError, match=r"ablation.steps = 30, this study has 7"):
        opened("ablation", {"ablation_jacobians": paths}, fewer)


def test_a_world_model_of_another_study_is_refused(tmp_path):
    paths = inputs(tmp_path, "recovery")
    other = STUDY.world_models.model_copy(update={"models": {"mlp": STUDY.world_models.models["mlp"]}})
    with pytest.raises(UserError, match=r"world_models-2.zarr holds model 'gated', which this study does not train"):
        opened("recovery", paths, STUDY.model_copy(update={"world_models": other}))


def test_tables_and_figures_compare_the_settings_of_each_policy(tmp_path):
    of_both = [(kind, policy) for kind in ("summary", "patterns") for policy in ("noise", "zero")]
    paths = [made(tmp_path, kind, policy=policy, name=f"{kind}-{policy}.zarr") for kind, policy in of_both]
    table = TableStage.model_validate_json(dependencies.table_settings(STUDY, ["summary", "patterns"]))
    of_all = FigureStage.model_validate_json(dependencies.study_figure_settings(STUDY, "agents", ["summary", "patterns"]))
    of_one = FigureStage.model_validate_json(dependencies.figure_settings(STUDY, {"threshold_sweep": ["summary"]}, "noise"))
    for stage in (table, of_all):
        assert len(_inputs.open_upstream(stage.upstream, paths)) == 4
    assert _inputs.open_upstream(of_one.upstream, paths[:1])
    with pytest.raises(UserError, match=r"summary-zero.zarr holds 'summary' of policy 'zero', which this job does not read"):
        _inputs.open_upstream(of_one.upstream, paths[1:2])
    odd = made(tmp_path, "summary", policy="noise", changed=("resampling", "resamples", 77), name="odd.zarr")
    old = made(tmp_path, "summary", policy="zero", task="FishSwim", made_by={"jacobians": OLD}, name="old.zarr")
    for stage, read in ((table, [odd, *paths[1:]]), (of_all, [*paths[1:], odd]), (of_one, [odd])):
        with pytest.raises(UserError, match=r"odd.zarr was made with resampling.resamples = 77, this study has 1000"):
            _inputs.open_upstream(stage.upstream, read)
    with pytest.raises(UserError, match=r"old.zarr: its jacobians were made with jax '1.0'"):
        _inputs.open_upstream(table.upstream, [*paths, old])


def test_any_settings_give_one_message(tmp_path):
    for number, text in enumerate(('{"policies": [1]}', "{}", '{"\\u001b[2J": {"a\\nb": 1}}')):
        path = made(tmp_path, "rollouts", name=f"{number}.zarr")
        root = json.loads((path / "zarr.json").read_text())
        root["attributes"]["settings"] = text
        (path / "zarr.json").write_text(json.dumps(root))
        with pytest.raises(UserError, match="was made with") as caught:
            _inputs.open_input(stage_of("jacobians"), path, "rollouts")
        assert str(caught.value).isprintable()


def test_stages_open_stores_only_through_inputs():
    folder = Path(_inputs.__file__).parent
    for path in folder.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        called |= {node.id for node in nodes if isinstance(node, ast.Name)}
        called |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        if path.name != "_inputs.py":
            assert not called & {"open_store", "open_seeds", "open_untrusted", "open_zarr"}, path
    assert set(READ) == STAGES.keys() - {"rollouts"}
