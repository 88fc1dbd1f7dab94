"""The files that a study asks for, by its settings alone and without Snakemake."""

from typing import Any

import pytest

from dynamic_sparsity.study import study as studies
from dynamic_sparsity.study.paths import REQUESTED, Paths

CONFIG: dict[str, Any] = {
    "tasks": ["CartpoleBalance", "FingerSpin"],
    "policies": {"expert": {}, "noise": {}},
    "seeds": [0, 3],
    "ablation": {"tasks": ["FingerSpin"], "policies": ["noise"]},
    "embedding": {"tasks": ["FingerSpin"]},
    "world_models": {"tasks": ["CartpoleBalance"], "models": {"mlp": {}, "gated": {"network": "gated"}}, "seeds": [0, 1]},
}


def paths(**changes):
    return Paths(studies.load_study({**CONFIG, **changes}))


def test_a_policy_has_stores_of_the_seeds_in_which_it_acts():
    assert paths().stores("rollouts") == [
        "results/rollouts/CartpoleBalance/expert/0.zarr",
        "results/rollouts/CartpoleBalance/expert/3.zarr",
        "results/rollouts/FingerSpin/expert/0.zarr",
        "results/rollouts/FingerSpin/expert/3.zarr",
        "results/rollouts/CartpoleBalance/noise/0.zarr",
        "results/rollouts/FingerSpin/noise/0.zarr",
    ]
    assert len(paths(comparison={"seeds": None}).stores("rollouts")) == 8


def test_paths_of_one_store_need_not_be_of_the_study():
    stores = paths().stores("jacobians", task="WalkerRun", policy="noise", method="implicit", seed="7")
    assert stores == ["results/jacobians/WalkerRun/noise/implicit/7.zarr"]
    assert paths().stores("summary", task="FingerSpin", policy="noise") == ["results/summary/FingerSpin/noise/exact.zarr"]


def test_a_stage_has_stores_of_its_tasks_and_policies_only():
    study_paths = paths()
    assert study_paths.stores("ablation_jacobians") == ["results/ablation/FingerSpin/noise/0.zarr"]
    assert study_paths.stores("ablation") == ["results/ablation/FingerSpin/noise.zarr"]
    assert study_paths.stores("embedding") == ["results/embedding/FingerSpin/expert/exact.zarr"]
    assert study_paths.stores("recovery") == ["results/recovery/CartpoleBalance/expert/exact.zarr"]
    for stage in ("survival", "structure"):
        assert {path.split("/")[3] for path in study_paths.stores(stage)} == {"expert"}
    mixed = {**CONFIG["world_models"], "policies": ["expert", "noise"]}
    assert paths(world_models=mixed).stores("recovery") == ["results/recovery/CartpoleBalance/expert_noise/exact.zarr"]


def test_the_study_s_own_method_is_in_its_paths():
    implicit = paths(jacobians={"method": "implicit", "precision": "float32"})
    assert implicit.stores("sparsity")[0] == "results/sparsity/CartpoleBalance/expert/implicit-float32/0.zarr"
    assert "results/figures/survival-FingerSpin-expert-implicit-float32.svg" in implicit.figures()


def test_world_models_are_in_the_order_of_the_configuration():
    names = [path.split("/")[-2:] for path in paths().world_models("CartpoleBalance", "expert", "exact")]
    assert names == [["mlp", "0.zarr"], ["mlp", "1.zarr"], ["gated", "0.zarr"], ["gated", "1.zarr"]]


@pytest.mark.parametrize(
    ("changes", "missing", "present"),
    [
        ({"world_models": {"tasks": []}}, "recovery", "roughness"),
        ({"ablation": {"tasks": []}}, "method_ablation", "recovery"),
    ],
)
def test_empty_tables_and_figures_are_not_made(changes, missing, present):
    study_paths = paths(**changes)
    for files in (study_paths.tables(), study_paths.figures()):
        assert not any(f"/{missing}." in path for path in files)
        assert any(f"/{present}." in path for path in files)


def test_sizes_are_compared_where_there_are_three():
    assert not any("recovery_size" in path for path in paths().figures())
    three = {f"mlp_{width}": {"width": width} for width in (8, 16, 32)}
    several = paths(world_models={**CONFIG["world_models"], "models": three})
    assert "results/figures/recovery_size.png" in several.figures()


def test_only_embedded_tasks_have_the_figure_embedding():
    embedded = [path for path in paths().figures() if "/embedding-" in path]
    assert embedded == [f"results/figures/embedding-FingerSpin-expert-exact.{kind}" for kind in ("png", "svg")]


def test_every_path_is_asked_for_once():
    study_paths = paths()
    stores = [path for stage in REQUESTED for path in study_paths.stores(stage)]
    files = stores + study_paths.tables() + study_paths.figures()
    assert len(files) == len(set(files)) > 50
