"""A study with every stage: ways to differentiate, world models, and every kind of store saved in other formats."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynamic_sparsity.settings.stages import STAGES
from tests.pipeline.project import ROOT, rules

WAYS = ["exact", "implicit", "exact-float32", "finite-converged"]
MODELS = {
    "mlp": {"width": 16},
    "gated": {"network": "gated", "width": 16},
    "plain": {"width": 16, "trained": False},
    "graph": {"network": "graph", "width": 16, "depth": 1},
}


@pytest.fixture(scope="module")
def every_stage(finished, tmp_path_factory):
    """A study with stores of every kind, and the jobs that its world models and its ways to differentiate need."""
    project = finished.copy(tmp_path_factory.mktemp("every") / "project")
    project.change("ablation", {"tasks": ["CartpoleBalance"], "policies": ["expert"], "variants": WAYS, "steps": 10})
    training = {"epochs": 3, "batch": 8}
    models = {"tasks": ["CartpoleBalance"], "models": MODELS, "seeds": [4], "training": training, "horizons": [1, 5, 30]}
    project.change("world_models", models)
    planned = project.planned()
    project.run()
    project.change("embedding", {"tasks": ["CartpoleBalance"], "max_points": 40, "sequence_steps": 5})
    project.run()
    project.snakemake("--cores", "2", "--", "results/durations/CartpoleBalance/expert/exact/0.zarr")
    return project, planned


def test_the_stages_of_this_study_only_are_planned(every_stage):
    assert sorted(every_stage[1]) == [
        ("ablation", "task=CartpoleBalance, policy=expert"),
        ("ablation_jacobians", "task=CartpoleBalance, policy=expert, seed=0"),
        ("recovery", "task=CartpoleBalance, policy=expert, method=exact"),
        ("study_figure", "figure=loss_curves"),
        ("study_figure", "figure=method_ablation"),
        ("study_figure", "figure=recovery"),
        ("study_figure", "figure=recovery_conditions"),
        ("study_figure", "figure=recovery_thresholds"),
        ("study_figure", "figure=roughness"),
        ("table", "table=findings"),
        ("table", "table=leaderboard"),
        ("table", "table=method_ablation"),
        ("table", "table=model_comparisons"),
        ("table", "table=overview"),
        ("table", "table=recovery"),
        ("table", "table=roughness"),
        ("table", "table=world_model_answers"),
        *(
            ("world_models", f"task=CartpoleBalance, policy=expert, method=exact, model={model}, seed=4")
            for model in sorted(MODELS)
        ),
    ]


def test_the_cart_s_zeros_end_at_its_limit(every_stage):
    project, _ = every_stage
    table = pd.read_csv(project.path / "results/tables/zero_kinds.csv").set_index("policy")
    expert, noise = table.loc["expert"], table.loc["noise"]
    assert expert.always_zero == expert.not_symmetries == 3 and expert.sampled_steps == 32 and expert.impossible == 0
    assert "10 m, which makes joint_limit:slider active" in expert.by_column
    assert np.isnan(noise.symmetries), "noise is not the first policy"
    store = xr.open_zarr(project.path / "results/structure/CartpoleBalance/expert/exact.zarr", consolidated=False)
    assert store.possible.all() and store.step_difference.max() < 1e-5
    near = store.largest_change.sel(coordinate="qpos:slider").isel(shift=[0, 1])
    assert near.max() < 1e-12, "shifts by 1 m stay on the rail"


def test_ways_to_differentiate_are_compared_with_differences(every_stage, tmp_path):
    project = every_stage[0].copy(tmp_path / "project")
    jacobians = xr.open_zarr(project.path / "results/ablation/CartpoleBalance/expert/0.zarr", consolidated=False)
    assert list(jacobians.way.values) == ["differences", "differences-converged", *WAYS]
    assert list(jacobians.step.isel(episode=0).values) == [0, 2, 5, 8, 10, 13, 16, 18, 21, 24]
    table = pd.read_csv(project.path / "results/tables/method_ablation.csv").set_index(["reference", "way", "threshold"])
    assert (table.steps == 30).all() and (table.nonfinite == 0).all()
    truth = table.loc["differences"]
    assert (truth.loc["exact"].error_99 < 1e-6).all() and (truth.loc["exact"].off_1 == 0).all()
    assert (truth.loc["finite-converged"].error_99 < 1e-6).all(), "Cartpole's solver has one row and converges at once"
    assert truth.loc["exact-float32"].error_99.between(1e-9, 1e-3).all()
    assert (table.loc["exact"].loc["implicit"].same_pattern == 1).all()
    page = (project.path / "results/tables/method_ablation.html").read_text()
    assert "exact against differences: 0.0% of the smooth steps are off by more than 1 %" in page
    roughness = pd.read_csv(project.path / "results/tables/roughness.csv")
    assert roughness.task.tolist() == ["CartpoleBalance"] and (roughness.rough < 0.1).all()
    for name in ("method_ablation", "roughness"):
        assert (project.path / f"results/figures/{name}.svg").is_file()
    project.change("figures", {"method_ablation": {"smallest_error": 1e-12}})
    assert project.planned() == [("study_figure", "figure=method_ablation")]
    project.change("ablation.thresholds", [1e-12, 1e-3])
    assert rules(project.planned()) == {"ablation", "table", "study_figure"}
    project.change("jacobians", {"method": "implicit"})
    assert not rules(project.planned()) & {"ablation_jacobians"}


def test_world_models_are_trained_and_scored(every_stage, tmp_path):
    project = every_stage[0].copy(tmp_path / "project")
    table = pd.read_csv(project.path / "results/tables/recovery.csv")
    whole = table[(table.condition == "all") & (table.basis == "scaled")].set_index("model")
    assert set(whole.index) == {*MODELS, "persistence", "linear", "neighbours", "static_oracle", "truth"}
    assert whole.loc["persistence"].one_step_error > 0 and whole.loc["plain"].verdict == "untrained"
    assert whole.loc["truth"].auroc == 1 and whole.loc["truth"].leakage == 0
    assert whole.loc["static_oracle"].auroc == 1 and whole.skill.isna().all(), "nothing changes in 25 steps"
    assert whole.loc["mlp"].ended == "all epochs" and whole.loc["plain"].ended == "untrained"
    assert set(table.loc[table.basis == "mask", "model"]) == {"gated"}
    compared = pd.read_csv(project.path / "results/tables/model_comparisons.csv")
    assert set(compared.against) == {"gated"}, "models are compared with the first one in config.yaml"
    assert set(compared.verdict) == {"too few pairs"}
    answers = pd.read_csv(project.path / "results/tables/world_model_answers.csv").set_index("question").answer
    assert answers["How did training end?"] == "Of 4 runs: 3 all epochs, 1 untrained."
    store = xr.open_zarr(project.path / "results/world_models/CartpoleBalance/expert/exact/mlp/4.zarr", consolidated=False)
    assert store.jacobian.dims == ("episode", "time", "out_dim", "in_dim") and store.sizes["epoch"] == 3
    assert store.rollout_error.isnull().any("episode").sel(horizon=30), "25 steps are too few for horizon 30"
    assert not list((project.path / "results/world_models").rglob("*.checkpoint"))
    project.change("world_models.models.mlp.width", 17)
    assert [wildcards for rule, wildcards in project.planned() if rule == "world_models"] == [
        "task=CartpoleBalance, policy=expert, method=exact, model=mlp, seed=4"
    ]
    project.change("world_models.models.mlp_deep", {"width": 16, "depth": 3})
    project.change("world_models.models.mlp_deeper", {"width": 16, "depth": 4})
    assert ("study_figure", "figure=recovery_size") in project.planned(), "there are three depths to compare"
    project.change("world_models.models.mlp.network", "transformer")
    output = project.snakemake("--dry-run", ok=False)
    assert "world_models.models.mlp.network" in output and "transformer" in output and "gated" in output


def stores_of(project):
    paths = sorted((project.path / "results").rglob("*.zarr"))
    stores = {xr.open_zarr(path, consolidated=False).attrs["kind"]: path for path in paths}
    assert stores.keys() == STAGES.keys()
    return stores


def test_every_store_can_be_written_as_netcdf(every_stage, tmp_path):
    """Dims of length 0 are dropped before reading, because no netCDF 3 file with them can be read."""
    for kind, path in stores_of(every_stage[0]).items():
        data = xr.open_zarr(path, consolidated=False).load()
        data.to_netcdf(tmp_path / f"{kind}.nc")
        data.drop_dims([dim for dim, size in data.sizes.items() if size == 0]).to_netcdf(tmp_path / f"{kind}-read.nc")
        with xr.open_dataset(tmp_path / f"{kind}-read.nc") as again:
            assert again.attrs["settings"] == data.attrs["settings"]
            assert json.loads(again.attrs["versions"])["zarr"] == "3.1.6"
            for name, array in again.data_vars.items():
                assert (array.values == data[name].values).all() or array.dtype.kind == "f"


def snippets(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def test_the_documented_ways_to_save_a_part_run(every_stage, tmp_path, monkeypatch):
    (snippet,) = [text for text in snippets("docs/stores.md") if "to_zarr" in text]
    assert "to_netcdf" in snippet and "drop_encoding" in snippet
    monkeypatch.chdir(tmp_path)
    for kind, path in stores_of(every_stage[0]).items():
        code = re.sub(r'"results/[^"]*"', repr(str(path)), snippet)
        if "episode" not in xr.open_zarr(path, consolidated=False).dims:
            code = code.replace("episode=", f"{next(iter(xr.open_zarr(path, consolidated=False).sizes))}=")
        shutil.rmtree("part.zarr", ignore_errors=True)
        subprocess.run([sys.executable, "-c", code], check=True)
        part = xr.open_zarr("part.zarr", consolidated=False)
        assert part.attrs["kind"] == kind and part.data_vars
        with xr.open_dataset("part.nc") as again:
            assert again.attrs["kind"] == kind and again.data_vars
