"""A change reruns exactly the jobs that depend on it."""

import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from tests.pipeline.project import AFTER_SPARSITY, STORES, Project, jobs, rules


@pytest.fixture(scope="module")
def at_another_threshold(finished, tmp_path_factory):
    """A study whose threshold was changed and whose next run failed; what the run after that planned and did."""
    project = finished.copy(tmp_path_factory.mktemp("threshold") / "project")
    module = project.path / "src/dynamic_sparsity/sparsity/zeros.py"
    original = module.read_text()
    project.change("sparsity.threshold", 1e-3)
    project.edit("sparsity/zeros.py", "\ndef summarise_episode(*_):\n    raise RuntimeError('broken on purpose')\n")
    assert "broken on purpose" in project.run(ok=False)
    module.write_text(original)
    return project, project.planned(), project.run()


def test_the_threshold_reruns_sparsity_and_what_follows_but_no_simulation(finished, at_another_threshold):
    project, planned, output = at_another_threshold
    assert rules(planned) == {"sparsity", "horizons"} | AFTER_SPARSITY
    assert sorted(jobs(output)) == sorted(planned)
    before, after = finished.fingerprint(), project.fingerprint()
    assert all(after[name] == before[name] for name in after if "/rollouts/" in name or "/jacobians/" in name)
    assert before["results/tables/mean_sparsity.csv"] != after["results/tables/mean_sparsity.csv"]
    assert project.planned() == []


def test_one_core_results_on_another_file_system_and_a_run_without_failures_give_the_same(at_another_threshold, tmp_path):
    """The study that a failed job had interrupted is equal to one that is computed in one go: nothing is stale."""
    interrupted, _, _ = at_another_threshold
    single_core = Project.create(tmp_path / "alone")
    single_core.change("sparsity.threshold", 1e-3)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as elsewhere:
        if Path(elsewhere).stat().st_dev == single_core.path.stat().st_dev:
            pytest.skip(f"{elsewhere} is on the same file system as {single_core.path}: no other file system to try")
        (single_core.path / "results").symlink_to(elsewhere)
        single_core.run(cores=1)
        assert single_core.fingerprint() == interrupted.fingerprint() and (single_core.path / "results").is_symlink()
        assert single_core.cli("verify", "results").stdout.count(": sound") == STORES


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
    project.snakemake("--cores", "2", "--", "results/sparsity/CartpoleBalance/expert/exact/7.zarr")
    after = project.fingerprint()
    assert all(after[name] == before[name] for name in before)
    seven = "results/rollouts/CartpoleBalance/expert/7.zarr/qpos/c/0/0/0"
    assert after[seven] != after[seven.replace("7.zarr", "0.zarr")]


def test_editing_a_file_reruns_the_stages_that_use_it(project):
    """tests/study/test_reruns.py tests which stages use which files."""
    project.edit("sparsity/zeros.py")
    assert rules(project.planned()) == AFTER_SPARSITY | {"sparsity"}


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
    readers = ("claims", "findings", "global_zeros")
    assert sorted(project.planned()) == [("table", f"table={name}") for name in readers]
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
    place = "CartpoleBalance/expert_noise/exact"
    project.snakemake("--cores", "2", "--", f"results/recovery/{place}.zarr", "results/tables/leaderboard.csv")
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
