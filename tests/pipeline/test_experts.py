"""Experts in a study: a damaged file stops the study before it simulates, and a new expert can be trained."""

import hashlib
import json
import shutil

import pytest
import xarray as xr

from dynamic_sparsity.experts.expert import read_expert
from tests.pipeline.project import rules

EXPERT = "resources/policies/CartpoleBalance-0.safetensors"
STORE = "results/rollouts/CartpoleBalance/expert/0.zarr"
TINY = {
    "num_timesteps": 320,
    "num_evals": 3,
    "num_eval_envs": 2,
    "num_envs": 4,
    "batch_size": 4,
    "num_minibatches": 2,
    "num_updates_per_batch": 1,
    "unroll_length": 10,
    "episode_length": 20,
}


def test_rollouts_name_the_expert_that_acted(project):
    acted = json.loads(xr.open_zarr(project.path / STORE, consolidated=False).attrs["expert"])
    shipped = read_expert(project.path / EXPERT, "CartpoleBalance").provenance
    assert acted["history"] == shipped["history"] and acted["seed"] == 0
    assert "verdict" in (project.path / "results/tables/returns.csv").read_text()


def list_as(project, path):
    """Update the checksum of a file in SHA256SUMS."""
    sums = path.with_name("SHA256SUMS")
    lines = [line for line in sums.read_text().splitlines() if path.name not in line]
    sums.write_text("\n".join([*lines, f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}", ""]))


def test_an_altered_expert_is_named_before_any_job(project):
    """tests/experts tests other mistakes in a file."""
    path = project.path / EXPERT
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert f"{EXPERT} does not match its checksum" in project.snakemake("--dry-run", ok=False)


def test_another_expert_reruns_its_rollouts(project):
    path = project.path / EXPERT
    shutil.copy(path.with_name("CartpoleBalance-1.safetensors"), path)
    list_as(project, path)
    planned = project.planned()
    assert [wildcards for rule, wildcards in planned if rule == "rollouts"] == [
        "task=CartpoleBalance, policy=expert, seed=0"
    ]
    assert not any("policy=noise" in wildcards for rule, wildcards in planned)


def test_a_task_without_an_expert_is_named_before_any_job(project):
    (project.path / EXPERT).unlink()
    project.change("tasks", ["FishSwim"])
    assert "No expert is shipped for FishSwim: only the other policies act there" in project.snakemake("--dry-run")
    project.change("policies", {"expert": {}})
    output = project.snakemake("--dry-run", ok=False)
    assert "no expert is shipped for FishSwim (only for " in output and "add a policy" in output


@pytest.mark.slow
def test_an_expert_can_be_trained_and_acts(project):
    training = {"overrides": TINY, "evaluation_episodes": 2}
    project.change("policies.expert", {"source": "train", "training": training})
    planned = project.planned()
    assert {"policies", "rollouts"} <= rules(planned)
    assert not any("policy=noise" in wildcards for rule, wildcards in planned if rule == "rollouts")
    project.snakemake("--cores", "2", "--", STORE)
    trained = read_expert(project.path / "results/policies/CartpoleBalance/0.safetensors", "CartpoleBalance")
    returns = trained.provenance["returns"]
    assert returns["steps"] == 1000 and returns["episodes"] == 2, "evaluated on the task's own episodes"
    assert {"stochastic", "deterministic", "coloured", "noise", "zero"} <= returns.keys()
    assert trained.provenance["settings"]["num_envs"] == 4 and trained.provenance["versions"]["brax"] != "not installed"
    assert not list((project.path / "results/policies/CartpoleBalance").glob("*checkpoints*"))
    acted = json.loads(xr.open_zarr(project.path / STORE, consolidated=False).attrs["expert"])
    assert acted["steps"] == 320
    assert "return" in (project.path / "results/logs/policies/CartpoleBalance-0.log").read_text()


def test_embedding_and_frames_rerun_by_what_they_depend_on(project):
    project.change("embedding", {"tasks": ["CartpoleBalance"], "perplexity": 5.0, "sequence_steps": 10})
    project.change("frames", {"count": 2, "size": 48})
    assert rules(project.planned()) == {"embedding", "frames", "embedding_figure"}
    project.run()
    stores = {name: project.path / f"results/{name}/CartpoleBalance/expert/exact.zarr" for name in ("embedding", "frames")}
    points, frames = (xr.open_zarr(path, consolidated=False) for path in stores.values())
    assert points.sizes["point"] == 75 and (points.sequence >= 0).sum() == 10
    assert frames.sizes["frame"] == (0 if frames.attrs["renderer"] == "none" else 2)
    assert (project.path / "results/figures/embedding-CartpoleBalance-expert-exact.png").stat().st_size > 1000
    project.change("frames.count", 3)
    assert rules(project.planned()) == {"frames", "embedding_figure"}, "more frames do not repeat t-SNE"
    project.change("frames.count", 2)
    project.change("embedding.tasks", ["CartpoleBalance", "FingerSpin"])
    assert not project.planned(), "a task that the study does not have changes nothing"
