"""The smoke study on a real Slurm: equal numbers, sufficient resource requests, and recovery from killed daemons."""

import contextlib
import re
import time
from pathlib import Path

from tests.cluster.conftest import SMOKE, SMOKE_BOUND_S, SUBMIT
from tests.cluster.private_slurm import SLURMD_TIMEOUT, processes_of
from tests.pipeline.project import AFTER_SPARSITY, HELD_WRITES

ROLLOUT = "results/rollouts/CartpoleBalance/noise/0.zarr"
JACOBIAN = "results/jacobians/CartpoleBalance/noise/exact/0.zarr"


def jobs_of(slurm, project):
    """The jobs of a project; jobs that others submit on this machine meanwhile run on this Slurm, too."""
    return [job for job in slurm.jobs() if Path(job["WorkDir"]) == project.path]


def megabytes(job):
    """The memory that a job asked for."""
    memory = re.fullmatch(r"([\d.]+)([MG])", job["MinMemoryNode"])
    assert memory, job["MinMemoryNode"]
    number, unit = memory.groups()
    return float(number) * {"M": 1, "G": 1024}[unit]


def test_the_smoke_study_gives_what_a_local_run_gives(slurm, reference, project, record_property):
    started = time.perf_counter()
    project.submit(*SMOKE)
    record_property("smoke study on Slurm", (time.perf_counter() - started, SMOKE_BOUND_S))
    assert project.fingerprint() == reference.fingerprint()
    jobs = jobs_of(slurm, project)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    computed = re.findall(r"^ *rule \w+:$", project.submit("--dry-run", "--forceall", *SMOKE), re.MULTILINE)
    assert len(computed) > 20 and len(jobs) < len(computed) / 3, "small jobs share a Slurm job"
    assert all(megabytes(job) >= 500 and job["TimeLimit"] != "UNLIMITED" for job in jobs)
    assert "Nothing to be done" in project.submit(*SMOKE)


def test_no_job_used_more_memory_than_it_asked_for(reference):
    used = {}
    for log in (reference.path / "results/logs").rglob("*.log"):
        peak = re.search(r"at most (\d+) MB of memory", log.read_text())
        assert peak, log
        stage = log.relative_to(reference.path / "results/logs").parts[0]
        used[stage] = max(used.get(stage, 0), int(peak[1]))
    output = reference.snakemake("--dry-run", "--forceall", *SMOKE)
    planned = re.findall(r"^ *rule ((?!all)\w+):\n(?: .*\n)*? *resources: (.*)$", output, re.MULTILINE)
    assert {rule for rule, _ in planned} == {"rollouts", "jacobians", "structure", "horizons", "sparsity"} | AFTER_SPARSITY
    for rule, resources in planned:
        folder = "figures" if rule.endswith("figure") else {"table": "tables"}.get(rule, rule)
        memory = re.search(r"mem_mb=(\d+)", resources)
        assert memory, rule
        requested = int(memory[1])
        assert used[folder] < requested <= 20 * used[folder], rule
        assert re.search(r"runtime=\d+", resources), rule


def test_a_job_that_needs_more_memory_than_it_asked_for_gets_it(slurm, reference, project):
    project.edit("study/resources.py", "\n_SNAKEMAKE_MB, _MARGIN = 400, 0\n")  # enough for snakemake but not for the job
    project.submit(*SMOKE, "--", ROLLOUT)
    jobs = jobs_of(slurm, project)
    states = [job["JobState"] for job in jobs]
    assert len(jobs) in (2, 3) and states[-1] == "COMPLETED" and "COMPLETED" not in states[:-1]
    assert [megabytes(job) for job in jobs] == [400 * 2**attempt for attempt in range(len(jobs))]
    limits = [job["TimeLimit"] for job in jobs]
    assert limits == sorted(limits) and len(set(limits)) == len(limits), "every attempt asks for more time"
    names = [name for name in project.fingerprint() if name.startswith(ROLLOUT)]
    assert names and {name: project.fingerprint()[name] for name in names}.items() <= reference.fingerprint().items()


@contextlib.contextmanager
def held_job(slurm, project, *arguments):
    """A jacobians job that waits before renaming its store until the block ends; yields snakemake, job and node."""
    hold = project.path / "hold"
    hold.touch()
    project.edit("stores/writing.py", HELD_WRITES.replace("SHARD_BYTES = 1\n", "").replace("+ 120", "+ 300"))
    process = project.popen(*SUBMIT, *SMOKE, *arguments, "--", JACOBIAN)
    project.wait_for(partial_of(project) / "zarr.json", process, seconds=300)
    (running,) = [job for job in jobs_of(slurm, project) if job["JobState"] == "RUNNING" and "jacobians" in job["StdOut"]]
    node = running["NodeList"]
    assert slurm.states()[node] in ("mixed", "allocated")
    try:
        yield process, running["JobId"], node
    finally:
        hold.unlink()


def partial_of(project):
    """The path under which the store is written before it is renamed."""
    store = project.path / JACOBIAN
    return store.with_name(f".{store.name}.partial")


def check_result(project, reference):
    """The store has the reference's numbers, and no partial file is left."""
    fingerprint = project.fingerprint()
    assert any(name.startswith(JACOBIAN) for name in fingerprint) and fingerprint.items() <= reference.fingerprint().items()
    assert not list((project.path / "results").rglob("*partial*"))


def test_a_killed_slurmd_that_comes_back_loses_nothing(slurm, reference, project):
    with held_job(slurm, project) as (process, held_id, node):
        slurm.kill_node(node)
        time.sleep(2)
        assert process.poll() is None
        slurm.start_node(node)
    output = process.communicate()[0]
    assert process.returncode == 0, output[-3000:]
    first, second = jobs_of(slurm, project)
    assert "rollouts" in first["StdOut"] and "jacobians" in second["StdOut"] and second["JobId"] == held_id
    assert {(job["JobState"], job["Restarts"]) for job in (first, second)} == {("COMPLETED", "0")}
    check_result(project, reference)


def test_a_slurmd_that_stays_away_costs_its_job_and_no_more(slurm, reference, project):
    with held_job(slurm, project, "--retries", "0") as (process, held_id, node):
        slurm.kill_node(node)
        slurm.wait_until(lambda: slurm.states()[node].startswith("down"), 4 * SLURMD_TIMEOUT, "its node is not down")
        assert process.poll() is None
        slurm.start_now(held_id)  # on the other node, while the first attempt still runs
        output = process.communicate()[0]
    assert process.returncode != 0 and "another process is writing" in output, output[-3000:]
    job = jobs_of(slurm, project)[-1]
    assert (job["JobId"], job["JobState"], job["Restarts"]) == (held_id, "FAILED", "1") and job["NodeList"] != node
    slurm.wait_until(lambda: not processes_of(project.path), 60, "the first attempt's processes still run")
    assert not (project.path / JACOBIAN).exists(), "a store that no snakemake waits for was kept"
    slurm.start_node(node)
    project.submit(*SMOKE, "--", JACOBIAN)
    check_result(project, reference)


DEVICES = """
import os
from dynamic_sparsity.runtime import jax_setup
_claim_device = jax_setup.claim_device
def _claim_fake_device():
    print("device", _claim_device(), "of job", os.environ.get("SLURM_JOB_ID"), flush=True)
    os.environ["JAX_PLATFORMS"] = "cpu"
jax_setup.claim_device = _claim_fake_device
"""
"""An edit of the package of stages and not of `jax_setup`, whose code is part of the proof that rollouts replay."""


def test_gpu_jobs_get_one_device_each_and_others_none(slurm, reference, project, monkeypatch):
    project.edit("stages/__init__.py", DEVICES)
    monkeypatch.setattr("tests.pipeline.project.REMOVED", ("PYTHONPATH", "XLA_FLAGS"))
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    project.submit(*SMOKE, "--", JACOBIAN, JACOBIAN.replace("noise", "expert"))
    jobs = jobs_of(slurm, project)
    assert [job.get("TresPerJob") for job in jobs] == [None, "gres:gpu:1", "gres:gpu:1"]
    assert [rule in job["StdOut"] for rule, job in zip(("rollouts", "jacobians", "jacobians"), jobs, strict=True)] == [
        True
    ] * 3
    first, second = sorted(jobs[1:], key=lambda job: job["StartTime"])
    assert first["EndTime"] <= second["StartTime"], "they run one after the other, as there is one device"
    logs = {log.name: log.read_text() for log in (project.path / "results/logs").rglob("*.log")}
    devices = {name: re.findall(r"device (\S+) of job (\S+)", text) for name, text in logs.items()}
    claimed = [pairs for name, pairs in devices.items() if "exact" in name]
    assert [[device for device, _ in pairs] for pairs in claimed] == [["0"], ["0"]]
    assert {job for pairs in claimed for _, job in pairs} == {first["JobId"], second["JobId"]}
    assert not any(pairs for name, pairs in devices.items() if "exact" not in name)
    assert project.fingerprint().items() <= reference.fingerprint().items()
