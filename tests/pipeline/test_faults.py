"""Jobs that fail or are killed, and wrong inputs: no partial result is accepted, and nothing is lost."""

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import psutil
import pytest
import xarray as xr
import zarr

from tests.pipeline.project import HELD_WRITES, STORES, Project

ROLLOUT = "results/rollouts/CartpoleBalance/noise/0.zarr"
JACOBIAN = "results/jacobians/CartpoleBalance/noise/exact/0.zarr"


@pytest.mark.parametrize("victim", ["job", "snakemake", "both"])
def test_a_kill_in_the_middle_of_writing_changes_nothing(project, victim):
    before = project.fingerprint()
    store = project.path / JACOBIAN
    shutil.rmtree(store)
    module = project.path / "src/dynamic_sparsity/stores/writing.py"
    original = module.read_text()
    hold = project.path / "hold"
    hold.touch()
    module.write_text(original + HELD_WRITES)
    process = project.popen("--cores", "2", "--rerun-triggers", "mtime", "--", JACOBIAN)
    partial = store.with_name(f".{store.name}.partial")
    project.wait_for(partial / "zarr.json", process)
    (job,) = project.children(process, "dynamic_sparsity.stages.jacobians")[-1:]
    if victim != "snakemake":
        job.kill()
    if victim != "job":
        process.kill()
    module.write_text(original)
    assert process.wait(60) != 0  # not communicate(): a surviving job keeps the pipe open
    assert not store.exists()
    if victim != "job":
        project.snakemake("--unlock")
    if victim == "snakemake":  # the job has survived and is still writing
        assert job.is_running()
        assert "another process is writing" in project.snakemake("--cores", "1", "--", JACOBIAN, ok=False)
        hold.unlink()
        psutil.wait_procs([job], timeout=60)
    project.snakemake("--cores", "2", "--", JACOBIAN)
    assert project.fingerprint() == before
    assert not partial.exists()


def test_a_killed_training_goes_on_from_its_last_epoch(project):
    training = {"epochs": 2000, "patience": 2000, "batch": 8}
    models = {"mlp": {"width": 16}}
    project.change("world_models", {"tasks": ["CartpoleBalance"], "models": models, "training": training})
    store = project.path / "results/world_models/CartpoleBalance/expert/exact/mlp/0.zarr"
    target = str(store.relative_to(project.path))
    checkpoint = store.with_suffix(".checkpoint")
    process = project.popen("--cores", "1", "--", target)
    project.wait_for(checkpoint, process)
    (job,) = project.children(process, "dynamic_sparsity.stages.world_models")[-1:]
    job.kill()
    assert process.wait(60) != 0 and not store.exists() and checkpoint.exists()
    project.snakemake("--cores", "1", "--", target)
    log = project.path / "results/logs/world_models/CartpoleBalance-expert-exact-mlp-0.log"
    assert re.search(r"resumed after [1-9]\d* epochs", log.read_text())
    history = xr.open_zarr(store, consolidated=False).history
    assert len(history) == 2000 and history.notnull().all() and not checkpoint.exists()


def stage(project, name, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(project.path / "src")}
    command = [sys.executable, "-m", f"dynamic_sparsity.stages.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=project.path, env=environment, capture_output=True, text=True)


def jacobian_settings(project):
    dataset = xr.open_zarr(project.path / JACOBIAN, consolidated=False)
    return dataset.attrs["settings"]


def test_the_replay_is_proved_once(finished):
    for policy in ("expert", "noise"):
        log = finished.path / f"results/logs/jacobians/CartpoleBalance-{policy}-exact-0.log"
        assert "every recorded step replays, as was proved when it was recorded" in log.read_text()


def test_a_record_that_does_not_replay_is_refused_by_name(project):
    qvel: Any = zarr.open_array(project.path / ROLLOUT / "next_qvel", mode="r+")
    values = qvel[:]
    values[1, 13, 1] += 0.01
    qvel[:] = values
    output = project.path / "results/refused.zarr"
    process = stage(project, "jacobians", "--settings", jacobian_settings(project), "--rollout", ROLLOUT, "--output", output)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    message = process.stderr.strip().splitlines()[-1]
    for words in ("CartpoleBalance", "episode 1", "step 13", "next_qvel:hinge_1", "recorded"):
        assert words in message
    assert not output.exists() and not list(output.parent.glob(".refused*"))


def test_a_stage_given_the_wrong_store_says_so(project):
    output = project.path / "results/refused.zarr"
    process = stage(
        project, "jacobians", "--settings", jacobian_settings(project), "--rollout", JACOBIAN, "--output", output
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "holds 'jacobians'" in process.stderr and "expected 'rollouts'" in process.stderr


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("jacobian", {}, ["jacobian", "unknown key", "jacobians"]),
    ],
)
def test_a_wrong_config_is_one_clear_message(tmp_path, key, value, named):
    project = Project.create(tmp_path / "project")
    project.change(key, value)
    process = project.popen("--cores", "1")
    output = process.communicate()[0]
    assert process.returncode == 1
    for words in named:
        assert words in output
    assert "Traceback" not in output and not (project.path / "results").exists()


def test_the_command_line_reads_what_the_study_made(project):
    cli = project.cli
    sound = cli("verify", "results")
    assert sound.returncode == 0 and sound.stdout.count(": sound") == STORES
    shown = cli("inspect", JACOBIAN).stdout
    for words in ("jacobian(episode, time, out_dim, in_dim) float64", "seed: 0", "task: CartpoleBalance", "jax 0.7.2"):
        assert words in shown
    chunk = next((project.path / JACOBIAN / "jacobian" / "c").rglob("0"))
    chunk = chunk if chunk.is_file() else next(path for path in chunk.rglob("*") if path.is_file())
    chunk.unlink()
    damaged = cli("verify", "results/jacobians", "results/rollouts")
    assert damaged.returncode == 1 and "is missing" in damaged.stdout and "1 of 4 are damaged" in damaged.stderr
    missing = cli("inspect", "results/nowhere.zarr")
    assert missing.returncode == 1 and "not a store" in missing.stderr and "Traceback" not in missing.stderr
    inside = cli("inspect", f"{JACOBIAN}/jacobian")
    assert inside.returncode == 1 and "not a store" in inside.stderr and "delete" not in inside.stderr
    stranger = cli("verify", JACOBIAN, "src")
    assert stranger.returncode == 1 and "not a store" in stranger.stderr and "delete" not in stranger.stderr


def test_the_report_is_one_file_with_everything_in_it(project):
    project.snakemake("--report", "report.html")
    report = (project.path / "report.html").read_text()
    for words in ("Q1 Is the causal graph globally sparse?", "Q2", "Q3", "zero_fraction", "global_zeros", "Kaplan-Meier"):
        assert words in report, words
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", report)
    assert loaded == [], "the report must not load files from the network"
