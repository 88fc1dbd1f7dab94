"""The smoke study on a real Slurm: the same numbers, requests that hold, and what is killed starts again."""

import re
import time

from tests.cluster.conftest import SMOKE, SUBMIT
from tests.pipeline.test_faults import HELD_WRITES

ROLLOUT = "results/rollouts/CartpoleBalance/noise/0.zarr"
JACOBIAN = "results/jacobians/CartpoleBalance/noise/unrolled/0.zarr"


def jobs_since(slurm, before):
    """Jobs that Slurm did not know of before."""
    return slurm.jobs()[len(before) :]


def megabytes(job):
    """The memory that a job asked for."""
    number, unit = re.fullmatch(r"([\d.]+)([MG])", job["MinMemoryNode"]).groups()
    return float(number) * {"M": 1, "G": 1024}[unit]


def test_the_smoke_study_gives_what_a_local_run_gives(slurm, reference, project):
    before, started = slurm.jobs(), time.perf_counter()
    project.submit(*SMOKE)
    print(f"smoke study on Slurm: {time.perf_counter() - started:.0f} s")
    assert project.fingerprint() == reference.fingerprint()
    jobs = jobs_since(slurm, before)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    computed = re.findall(r"^ *rule \w+:$", project.submit("--dry-run", "--forceall", *SMOKE), re.MULTILINE)
    assert len(computed) > 30 and len(jobs) < len(computed) / 3, "small ones share a job"
    assert all(megabytes(job) >= 500 and job["TimeLimit"] != "UNLIMITED" for job in jobs)
    assert "Nothing to be done" in project.submit(*SMOKE)


def test_no_job_used_more_memory_than_it_asked_for(reference):
    used = {}
    for log in (reference.path / "results/logs").rglob("*.log"):
        peak = re.search(r"at most (\d+) MB of memory", log.read_text())
        stage = log.relative_to(reference.path / "results/logs").parts[0]
        used[stage] = max(used.get(stage, 0), int(peak[1]))
    output = reference.snakemake("--dry-run", "--forceall", *SMOKE)
    for rule, resources in re.findall(r"^ *rule ((?!all)\w+):\n(?: .*\n)*? *resources: (.*)$", output, re.MULTILINE):
        folder = {"figure": "figures", "study_figure": "figures", "table": "tables"}.get(rule, rule)
        asked = int(re.search(r"mem_mb=(\d+)", resources)[1])
        assert used[folder] < asked <= 20 * used[folder], rule
        assert re.search(r"runtime=\d+", resources), rule


def test_a_job_that_needs_more_memory_than_it_asked_for_gets_it(slurm, reference, project):
    project.edit("job_resources.py", "\n_AROUND_MB, _SPARE = 400, 0\n")  # enough for snakemake, not for the job
    before = slurm.jobs()
    project.submit(*SMOKE, "--", ROLLOUT)
    jobs = jobs_since(slurm, before)
    states = [job["JobState"] for job in jobs]
    assert len(jobs) in (2, 3) and states[-1] == "COMPLETED" and "COMPLETED" not in states[:-1]
    assert [megabytes(job) for job in jobs] == [400 * 2**attempt for attempt in range(len(jobs))]
    limits = [job["TimeLimit"] for job in jobs]
    assert limits == sorted(limits) and len(set(limits)) == len(limits), "and more time"
    names = [name for name in project.fingerprint() if name.startswith(ROLLOUT)]
    assert names and {name: project.fingerprint()[name] for name in names}.items() <= reference.fingerprint().items()


def test_a_killed_slurmd_loses_nothing(slurm, reference, project):
    hold = project.path / "hold"
    hold.touch()
    project.edit("stores.py", HELD_WRITES.replace("_SHARD_BYTES = 1\n", ""))  # held with all but the name written
    process = project.popen(*SUBMIT, *SMOKE, "--", JACOBIAN)
    partial = (project.path / JACOBIAN).with_name(".0.zarr.partial")
    deadline = time.monotonic() + 180
    while not (partial / "zarr.json").exists():
        assert process.poll() is None and time.monotonic() < deadline, "never saw the store being written"
        time.sleep(0.1)
    busy = [node for node, state in slurm.states().items() if state != "idle"]
    for node in busy:
        slurm.kill_node(node)
    time.sleep(2)
    for node in busy:
        slurm.start_node(node)
    hold.unlink()
    output = process.communicate()[0]
    assert process.returncode == 0, output[-3000:]
    assert not partial.exists()
    made = project.fingerprint()
    assert any(name.startswith(JACOBIAN) for name in made) and made.items() <= reference.fingerprint().items()


DEVICES = """
_claim_device = claim_device
def claim_device():
    print("device", _claim_device(), "of job", os.environ.get("SLURM_JOB_ID"), flush=True)
    os.environ["JAX_PLATFORMS"] = "cpu"  # the device is a fake
"""


def test_gpu_jobs_get_one_device_each_and_others_none(slurm, reference, project, monkeypatch):
    project.edit("runtime.py", DEVICES)
    monkeypatch.setattr("tests.pipeline.project.FORGOTTEN", ("PYTHONPATH", "XLA_FLAGS"))
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    before = slurm.jobs()
    project.submit(*SMOKE, "--", JACOBIAN, JACOBIAN.replace("noise", "expert"))
    asked = [(job["Comment"].split("_")[1], job.get("TresPerJob")) for job in jobs_since(slurm, before)]
    assert asked == [("rollouts", None), ("jacobians", "gres:gpu:1"), ("jacobians", "gres:gpu:1")]
    logs = {log.name: log.read_text() for log in (project.path / "results/logs").rglob("*.log")}
    said = {name: re.findall(r"device (\S+) of job (\S+)", text) for name, text in logs.items()}
    claimed = [found for name, found in said.items() if "unrolled" in name]
    assert [[device for device, _ in found] for found in claimed] == [["0"], ["0"]]
    assert len({job for found in claimed for _, job in found}) == 2, "one after the other: there is one device"
    assert not any(found for name, found in said.items() if "unrolled" not in name)
    assert project.fingerprint().items() <= reference.fingerprint().items()
