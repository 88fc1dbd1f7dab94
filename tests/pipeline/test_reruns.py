"""What a change reruns: exactly what depends on it."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from tests.pipeline.project import AFTER_SPARSITY, Project, jobs, rules


def test_a_second_run_does_nothing(project):
    before = project.fingerprint()
    assert "Nothing to be done" in project.run()
    assert project.fingerprint() == before


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


def test_swapping_two_values_reruns(project):
    project.change("temporal.max_lag", 20)
    project.change("temporal.max_patterns", 10)
    planned = project.planned()
    assert rules(planned) == {"patterns", "figure", "study_figure", "table"}
    assert drawn(project) <= {"pattern_timeline-CartpoleBalance-expert-exact", "agents"}
    assert project.planned() == []


def test_a_figures_setting_redraws_that_figure_only(project):
    project.change("figures", {"sparsity_histogram": {"bin_width": 0.05}})
    assert project.planned() == [("figure", "task=CartpoleBalance, policy=expert, method=exact")]
    assert drawn(project) == {"sparsity_histogram-CartpoleBalance-expert-exact"}
    assert project.planned() == []


def drawn(project):
    """The figures whose files are others once snakemake has run."""
    figures = "results/figures/"
    before = project.fingerprint()
    project.run()
    after = project.fingerprint()
    return {Path(name).stem for name in after if name.startswith(figures) and before.get(name) != after[name]}


def test_the_common_style_redraws_all_figures_and_nothing_else(project):
    project.change("figures", {"style": {"dpi": 60}})
    planned = project.planned()
    assert rules(planned) == {"figure", "study_figure"} and len(planned) == 2
    assert len(drawn(project)) == 8


def test_a_full_comparison_adds_what_the_others_lack(project):
    project.change("comparison", {"full": True})
    planned = project.planned()
    others = [(rule, wildcards) for rule, wildcards in planned if rule != "table"]
    assert rules(others) == {"survival", "figure"} and len(others) == 2
    assert all("policy=noise" in wildcards for _, wildcards in others)
    assert [wildcards for rule, wildcards in planned if rule == "table"] == ["table=durations"]


def test_a_policys_setting_reruns_that_policy_only(project):
    project.change("policies.noise.beta", 1.0)
    planned = project.planned()
    assert ("rollouts", "task=CartpoleBalance, policy=noise, seed=0") in planned
    assert not any("policy=expert" in wildcards for _, wildcards in planned)


def test_a_new_seed_computes_that_seed_only(project):
    project.change("seeds", [0, 7])
    planned = project.planned()
    per_seed = [(rule, wildcards) for rule, wildcards in planned if "seed=" in wildcards]
    assert all(wildcards.endswith("seed=7") for _, wildcards in per_seed)
    assert rules(per_seed) == {"rollouts", "jacobians", "sparsity"} and len(per_seed) == 3
    assert all("policy=expert" in wildcards for _, wildcards in per_seed), "noise keeps to its first seed"
    project.change("comparison", {"seeds": None})
    assert len([wildcards for _, wildcards in project.planned() if "seed=" in wildcards]) == 6
    before = project.fingerprint()
    project.run()
    after = project.fingerprint()
    assert all(after[name] == before[name] for name in before if "/0.zarr/" in name)
    seven = "results/rollouts/CartpoleBalance/expert/7.zarr/qpos/c/0/0/0"
    assert after[seven] != after[seven.replace("7.zarr", "0.zarr")]


def test_a_new_task_computes_that_task_only(project):
    project.change("tasks", ["CartpoleBalance", "FingerSpin"])
    planned = project.planned()
    assert all("task=FingerSpin" in wildcards for rule, wildcards in planned if rule not in ("table", "study_figure"))
    tables = [wildcards for rule, wildcards in planned if rule == "table"]
    assert len(tables) == 11 and {"table=method_ablation", "table=roughness"} <= set(tables), (
        "FingerSpin is differentiated in other ways as well"
    )


@pytest.mark.parametrize(
    ("module", "rerun"),
    [
        ("simulation/coordinates.py", {"rollouts", "jacobians", "sparsity"} | AFTER_SPARSITY),
        ("simulation/jacobian.py", {"jacobians", "sparsity"} | AFTER_SPARSITY),
        ("simulation/noise.py", {"rollouts", "jacobians", "sparsity"} | AFTER_SPARSITY),
        (
            "sparsity/zeros.py",
            {"sparsity", "summary", "survival", "patterns", "figure", "study_figure", "table"},
        ),
        ("sparsity/resampling.py", {"summary", "survival", "patterns", "figure", "study_figure", "table"}),
        ("sparsity/events.py", {"patterns", "figure", "study_figure", "table"}),
        ("figures/style.py", {"figure", "study_figure"}),
        ("tables/page.py", {"table"}),
        ("settings/figures.py", {"figure", "study_figure"}),
        ("study/config_errors.py", set()),
        ("settings/world_models.py", set()),
        ("stores/opening.py", set()),
        ("tasks/names.py", set()),
        ("errors.py", set()),
        ("cli.py", set()),
    ],
)
def test_editing_a_file_reruns_the_stages_that_use_it(project, module, rerun):
    project.edit(module)
    assert rules(project.planned()) == rerun


def test_comments_and_formatting_rerun_nothing(project):
    for path in (project.path / "src").rglob("*.py"):
        text = re.sub(r"^( +)return ", r"\1# A comment.\n\n\1return ", path.read_text(), flags=re.MULTILINE)
        path.write_text(f"{text}\n# The end.\n")
    assert project.planned() == []


def test_editing_one_figure_redraws_it_only(project):
    project.edit("figures/survival.py")
    planned = project.planned()
    assert planned == [("figure", "task=CartpoleBalance, policy=expert, method=exact")]
    before = project.fingerprint()
    assert jobs(project.run()) == planned
    assert project.planned() == [] and project.fingerprint() == before, "the edit draws nothing else"


def test_a_figure_that_is_gone_is_drawn_again(project):
    before = project.fingerprint()
    (project.path / "results/figures/survival-CartpoleBalance-expert-exact.svg").unlink()
    assert project.planned() == [("figure", "task=CartpoleBalance, policy=expert, method=exact")]
    assert drawn(project) == {"survival-CartpoleBalance-expert-exact"}
    assert project.fingerprint() == before


def test_touching_files_reruns_nothing(project):
    for path in (project.path / "src").rglob("*.py"):
        os.utime(path)
    assert "Nothing to be done" in project.run()


def test_a_study_and_its_checkout_may_lie_anywhere(project, tmp_path):
    there = project.copy(tmp_path / "deeper" / "a b{x}" / "checkout")
    assert there.planned() == []
    study = tmp_path / "studies" / "of" / "mine"
    study.mkdir(parents=True)
    for name in ("config.yaml", "results", ".snakemake"):
        (there.path / name).rename(study / name)
    assert jobs(there.snakemake("--dry-run", "--directory", str(study))) == []
    moved = Project(there.path.rename(tmp_path / "checkout"))
    assert jobs(moved.snakemake("--dry-run", "--directory", str(study))) == []
    study = study.rename(tmp_path / "study")
    assert jobs(moved.snakemake("--dry-run", "--directory", "../study")) == []
    target = "results/rollouts/CartpoleBalance/expert/0.zarr"
    moved.snakemake("--cores", "1", "--directory", "../study", "--force", "--", target, "results/tables/returns.csv")


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("table1", {"claims", "global_zeros"}),
        ("figure3", {"claims", "zero_fractions"}),
        ("playground_returns", {"claims", "returns", "agents"}),
    ],
)
def test_other_reported_numbers_rerun_the_tables_beside_which_they_are(project, name, tables):
    path = project.path / f"resources/paper/{name}.csv"
    os.utime(path)
    assert project.planned() == []
    content = path.read_text()
    path.write_text(content + "\n")
    assert sorted(project.planned()) == sorted(("table", f"table={table}") for table in tables)
    path.unlink()
    output = project.snakemake("--dry-run", ok=False)
    assert f"cannot read resources/paper/{name}.csv" in output and "Traceback" not in output


@pytest.mark.parametrize("stage", ["rollouts", "sparsity"])
def test_a_removed_store_is_made_again_with_what_follows(project, stage):
    before = project.fingerprint()
    method = "" if stage == "rollouts" else "exact/"
    shutil.rmtree(project.path / f"results/{stage}/CartpoleBalance/expert/{method}0.zarr")
    planned = project.planned()
    assert rules(planned) >= {stage} | AFTER_SPARSITY
    assert not any("policy=noise" in wildcards for _, wildcards in planned)
    project.run()
    assert project.fingerprint() == before


def test_one_core_and_results_on_another_file_system_give_the_same_numbers(finished, tmp_path):
    alone = Project.create(tmp_path / "alone")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as elsewhere:
        if Path(elsewhere).stat().st_dev == alone.path.stat().st_dev:
            pytest.skip(f"{elsewhere} is on the same file system as {alone.path}: there is no other one to try")
        (alone.path / "results").symlink_to(elsewhere)
        alone.run(cores=1)
        assert alone.fingerprint() == finished.fingerprint() and (alone.path / "results").is_symlink()
        assert alone.cli("verify", "results").stdout.count(": sound") == 11


def test_ways_to_differentiate_are_held_against_differences(project):
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
    given = {"tasks": ["CartpoleBalance"], "models": models, "seeds": [4], "training": {"epochs": 3, "batch": 8}}
    project.change("world_models", {**given, "horizons": [1, 5, 30]})
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
    assert set(compared.against) == {"gated"}, "the first one of the file"
    assert set(compared.verdict) == {"too few pairs"}
    answers = pd.read_csv(project.path / "results/tables/world_model_answers.csv").set_index("question").answer
    assert answers["How did training end?"] == "Of 4 runs: 3 all epochs, 1 untrained."
    store = xr.open_zarr(project.path / "results/world_models/CartpoleBalance/expert/exact/mlp/4.zarr", consolidated=False)
    assert store.jacobian.dims == ("episode", "time", "out_dim", "in_dim") and store.sizes["epoch"] == 3
    assert store.rollout_error.isnull().any("episode").sel(horizon=30), "25 steps hold no 30"
    assert not list((project.path / "results/world_models").rglob("*.checkpoint"))
    project.change("world_models.models.mlp.width", 17)
    assert [wildcards for rule, wildcards in project.planned() if rule == "world_models"] == [
        "task=CartpoleBalance, policy=expert, method=exact, model=mlp, seed=4"
    ]
    project.change("world_models.models.mlp_deep", {"width": 16, "depth": 3})
    project.change("world_models.models.mlp_deeper", {"width": 16, "depth": 4})
    assert ("study_figure", "figure=recovery_size") in project.planned(), "three depths to compare"
    project.change("world_models.models.mlp.network", "transformer")
    output = project.snakemake("--dry-run", ok=False)
    assert "world_models.models.mlp.network" in output and "transformer" in output and "gated" in output


def test_world_models_learn_from_several_policies_together(project):
    given = {
        "tasks": ["CartpoleBalance"],
        "models": {"mlp": {"width": 16}},
        "seeds": [4],
        "training": {"epochs": 2, "batch": 8},
    }
    project.change("world_models", {**given, "policies": ["noise", "expert"], "horizons": [1, 5]})
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
    assert "none of world_models.policies acts in this study" in project.snakemake("--dry-run", ok=False)


def test_who_acts_is_said_first(project):
    assert "Who acts in all tasks: expert (seeds 0), noise (seeds 0)." in project.snakemake("--dry-run").splitlines()[:5]
    project.change("task_policies", {"CartpoleBalance": ["noise"]})
    output = project.snakemake("--dry-run")
    assert "Who acts in CartpoleBalance: noise (seeds 0)." in output.splitlines()[:5]
    assert all("policy=expert" not in wildcards for _, wildcards in jobs(output))
    assert any(rule == "figure" and "policy=noise" in wildcards for rule, wildcards in jobs(output)), (
        "noise is the first here"
    )


def test_in_a_task_without_a_shipped_expert_the_others_act(project):
    project.change("tasks", ["CartpoleBalance", "PendulumSwingup"])
    output = project.snakemake("--dry-run")
    assert "No expert is shipped for PendulumSwingup: only the other policies act there." in output
    new = [wildcards for _, wildcards in jobs(output) if "PendulumSwingup" in wildcards]
    assert new and all("policy=noise" in wildcards for wildcards in new)
    assert "task=PendulumSwingup, policy=noise, seed=0" in new
    project.change("policies", {"expert": {}})
    refused = project.snakemake("--dry-run", ok=False)
    assert "no expert is shipped for PendulumSwingup" in refused and "and no other policy acts" in refused
