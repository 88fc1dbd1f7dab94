"""A change reruns exactly the jobs that depend on it."""

import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from tests.pipeline.project import AFTER_SPARSITY, Project, jobs, rules


def test_the_threshold_reruns_sparsity_and_what_follows_but_no_simulation(project):
    project.change("sparsity.threshold", 1e-3)
    planned = project.planned()
    assert rules(planned) == {"sparsity"} | AFTER_SPARSITY
    before = project.fingerprint()
    assert sorted(jobs(project.run())) == sorted(planned)
    after = project.fingerprint()
    assert all(after[name] == before[name] for name in after if "/rollouts/" in name or "/jacobians/" in name)
    assert before["results/tables/mean_sparsity.csv"] != after["results/tables/mean_sparsity.csv"]
    assert "Nothing to be done" in project.run()


def test_a_figures_setting_redraws_that_figure_only(project):
    project.change("figures", {"sparsity_histogram": {"bin_width": 0.05}})
    assert project.planned() == [("figure", "task=CartpoleBalance, policy=expert, method=exact")]
    assert redrawn_figures(project) == {"sparsity_histogram-CartpoleBalance-expert-exact"}
    assert project.planned() == []


def redrawn_figures(project):
    """Run snakemake. The names of the figures whose files have changed."""
    figures = "results/figures/"
    before = project.fingerprint()
    project.run()
    after = project.fingerprint()
    return {Path(name).stem for name in after if name.startswith(figures) and before.get(name) != after[name]}


def test_a_new_seed_computes_that_seed_only(project):
    project.change("seeds", [0, 7])
    planned = project.planned()
    per_seed = [(rule, wildcards) for rule, wildcards in planned if "seed=" in wildcards]
    assert all(wildcards.endswith("seed=7") for _, wildcards in per_seed)
    assert rules(per_seed) == {"rollouts", "jacobians", "sparsity"} and len(per_seed) == 3
    assert all("policy=expert" in wildcards for _, wildcards in per_seed), "noise acts in the first seed only"
    project.change("comparison", {"seeds": None})
    assert len([wildcards for _, wildcards in project.planned() if "seed=" in wildcards]) == 6
    before = project.fingerprint()
    project.run()
    after = project.fingerprint()
    assert all(after[name] == before[name] for name in before if "/0.zarr/" in name)
    seven = "results/rollouts/CartpoleBalance/expert/7.zarr/qpos/c/0/0/0"
    assert after[seven] != after[seven.replace("7.zarr", "0.zarr")]


def test_editing_a_file_reruns_the_stages_that_use_it(project):
    """tests/study/test_reruns.py tests which stages use which files."""
    project.edit("sparsity/zeros.py")
    assert rules(project.planned()) == {"sparsity", "summary", "survival", "patterns", "figure", "study_figure", "table"}


def test_a_figure_that_is_gone_is_drawn_again(project):
    before = project.fingerprint()
    (project.path / "results/figures/survival-CartpoleBalance-expert-exact.svg").unlink()
    assert project.planned() == [("figure", "task=CartpoleBalance, policy=expert, method=exact")]
    assert redrawn_figures(project) == {"survival-CartpoleBalance-expert-exact"}
    assert project.fingerprint() == before


def test_a_second_run_does_nothing_even_if_files_of_code_are_newer(project):
    before = project.fingerprint()
    for path in (project.path / "src").rglob("*.py"):
        os.utime(path)
    assert "Nothing to be done" in project.run()
    assert project.fingerprint() == before


def test_moving_a_study_or_its_checkout_reruns_nothing(project, tmp_path):
    copy = project.copy(tmp_path / "deeper" / "a b{x}" / "checkout")
    assert copy.planned() == []
    study = tmp_path / "studies" / "of" / "mine"
    study.mkdir(parents=True)
    for name in ("config.yaml", "results", ".snakemake"):
        (copy.path / name).rename(study / name)
    assert jobs(copy.snakemake("--dry-run", "--directory", str(study))) == []
    moved = Project(copy.path.rename(tmp_path / "checkout"))
    assert jobs(moved.snakemake("--dry-run", "--directory", str(study))) == []
    study = study.rename(tmp_path / "study")
    assert jobs(moved.snakemake("--dry-run", "--directory", "../study")) == []
    target = "results/rollouts/CartpoleBalance/expert/0.zarr"
    moved.snakemake("--cores", "1", "--directory", "../study", "--force", "--", target, "results/tables/returns.csv")


def test_other_reported_numbers_rerun_the_tables_that_read_them(project):
    path = project.path / "resources/paper/table1.csv"
    os.utime(path)
    assert project.planned() == []
    path.write_text(path.read_text() + "\n")
    assert sorted(project.planned()) == [("table", "table=claims"), ("table", "table=global_zeros")]
    path.unlink()
    output = project.snakemake("--dry-run", ok=False)
    assert "cannot read resources/paper/table1.csv" in output and "Traceback" not in output


def test_a_removed_store_is_made_again_with_what_follows(project):
    before = project.fingerprint()
    shutil.rmtree(project.path / "results/rollouts/CartpoleBalance/expert/0.zarr")
    planned = project.planned()
    assert rules(planned) >= {"rollouts"} | AFTER_SPARSITY
    assert not any("policy=noise" in wildcards for _, wildcards in planned)
    project.run()
    assert project.fingerprint() == before


def test_one_core_and_results_on_another_file_system_give_the_same_numbers(finished, tmp_path):
    single_core = Project.create(tmp_path / "alone")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as elsewhere:
        if Path(elsewhere).stat().st_dev == single_core.path.stat().st_dev:
            pytest.skip(f"{elsewhere} is on the same file system as {single_core.path}: no other file system to try")
        (single_core.path / "results").symlink_to(elsewhere)
        single_core.run(cores=1)
        assert single_core.fingerprint() == finished.fingerprint() and (single_core.path / "results").is_symlink()
        assert single_core.cli("verify", "results").stdout.count(": sound") == 11


def test_ways_to_differentiate_are_compared_with_differences(project):
    ways = ["exact", "implicit", "exact-float32", "finite-converged"]
    project.change("ablation", {"tasks": ["CartpoleBalance"], "policies": ["expert"], "variants": ways, "steps": 10})
    planned = project.planned()
    assert [wildcards for rule, wildcards in planned if rule == "ablation_jacobians"] == [
        "task=CartpoleBalance, policy=expert, seed=0"
    ]
    assert rules(planned) == {"ablation_jacobians", "ablation", "table", "study_figure"}
    project.run()
    jacobians = xr.open_zarr(project.path / "results/ablation/CartpoleBalance/expert/0.zarr", consolidated=False)
    assert list(jacobians.way.values) == ["differences", "differences-converged", *ways]
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


def test_world_models_are_trained_and_scored(project):
    models = {"mlp": {"width": 16}, "gated": {"network": "gated", "width": 16}, "plain": {"width": 16, "trained": False}}
    models["graph"] = {"network": "graph", "width": 16, "depth": 1}
    settings = {"tasks": ["CartpoleBalance"], "models": models, "seeds": [4], "training": {"epochs": 3, "batch": 8}}
    project.change("world_models", {**settings, "horizons": [1, 5, 30]})
    assert sorted(project.planned()) == [
        ("recovery", "task=CartpoleBalance, policy=expert, method=exact"),
        ("study_figure", "figure=loss_curves"),
        ("study_figure", "figure=recovery"),
        ("study_figure", "figure=recovery_conditions"),
        ("study_figure", "figure=recovery_thresholds"),
        ("table", "table=leaderboard"),
        ("table", "table=model_comparisons"),
        ("table", "table=recovery"),
        ("table", "table=world_model_answers"),
        *(
            ("world_models", f"task=CartpoleBalance, policy=expert, method=exact, model={model}, seed=4")
            for model in sorted(models)
        ),
    ]
    project.run()
    table = pd.read_csv(project.path / "results/tables/recovery.csv")
    whole = table[(table.condition == "all") & (table.basis == "scaled")].set_index("model")
    assert set(whole.index) == {*models, "persistence", "linear", "neighbours", "static_oracle", "truth"}
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


def test_world_models_learn_from_several_policies_together(project):
    settings = {
        "tasks": ["CartpoleBalance"],
        "models": {"mlp": {"width": 16}},
        "seeds": [4],
        "training": {"epochs": 2, "batch": 8},
    }
    project.change("world_models", {**settings, "policies": ["noise", "expert"], "horizons": [1, 5]})
    planned = project.planned()
    assert ("recovery", "task=CartpoleBalance, policy=expert_noise, method=exact") in planned
    assert rules(planned) == {"world_models", "recovery", "study_figure", "table"}
    project.run()
    place = "CartpoleBalance/expert_noise/exact"
    model, scored = (
        xr.open_zarr(project.path / f"results/{name}.zarr", consolidated=False)
        for name in (f"world_models/{place}/mlp/4", f"recovery/{place}")
    )
    assert model.attrs["policy"] == scored.attrs["policy"] == "expert_noise" and model.sizes["data_episode"] == 6
    assert [list(model.split.values[of_policy]).count("test") for of_policy in (slice(3), slice(3, 6))] == [1, 1]
    assert set(pd.read_csv(project.path / "results/tables/leaderboard.csv").model) > {"mlp", "persistence"}
    project.change("world_models.policies", ["zero"])
    assert "none of them acts in this study" in project.snakemake("--dry-run", ok=False)


def test_the_first_lines_say_who_acts(project):
    assert "Who acts in all tasks: expert (seeds 0), noise (seeds 0)." in project.snakemake("--dry-run").splitlines()[:5]
    project.change("task_policies", {"CartpoleBalance": ["noise"]})
    output = project.snakemake("--dry-run")
    assert "Who acts in CartpoleBalance: noise (seeds 0)." in output.splitlines()[:5]
    assert all("policy=expert" not in wildcards for _, wildcards in jobs(output))
    assert any(rule == "figure" and "policy=noise" in wildcards for rule, wildcards in jobs(output)), (
        "noise is the first policy of this task"
    )
