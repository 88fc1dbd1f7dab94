"""Disks that fill up or cannot be written to: one message, nothing is lost, and the same numbers afterwards."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import xarray as xr

from tests.pipeline.project import STORES

JACOBIAN = "results/jacobians/CartpoleBalance/noise/exact/0.zarr"
PATTERNS = "results/patterns/CartpoleBalance/noise/exact.zarr"
FIGURE = "results/figures/zero_fraction-CartpoleBalance-expert-exact.png"
TABLE = "results/tables/durations.csv"


@pytest.fixture
def remount(project):
    """A function that remounts, with other options, the disk to which the fixture moves the project's results."""
    results, copy = project.path / "results", project.path / "copy"
    results.rename(copy)
    results.mkdir()

    def mount(*options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", results], capture_output=True, text=True
        )

    def again(*options):
        process = mount("remount", *options)
        assert process.returncode == 0, process.stderr

    process = mount("size=64m")
    if process.returncode:
        pytest.skip(f"a disk for the test cannot be mounted: {process.stderr.strip()}")
    try:
        shutil.copytree(copy, results, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(copy)
        yield again
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)


def filled(project, spare=0):
    """The mount option that leaves only `spare` bytes free on the disk of the results."""
    disk = os.statvfs(project.path / "results")
    return f"size={(disk.f_blocks - disk.f_bfree) * disk.f_frsize + spare}"


def messages(project, output, target):
    """The messages about `target` in snakemake's output. No partial file may be left."""
    assert "Traceback" not in output
    assert not list((project.path / "results").rglob("*partial*")) and not (project.path / target).exists()
    return [line for line in output.splitlines() if line.strip().startswith(f"error: {target} was not made")]


def test_a_full_disk_gives_one_message_and_loses_nothing(project, remount):
    before = project.fingerprint()
    shutil.rmtree(project.path / JACOBIAN)
    remount(filled(project, spare=20_000))  # room for a part of the store
    output = project.snakemake("--cores", "1", "--", JACOBIAN, ok=False)
    (message,) = messages(project, output, JACOBIAN)
    assert "No space left on device" in message and "make room" in message and "run snakemake again" in message
    remount("size=64m")
    logs = {FIGURE: "figures/CartpoleBalance-expert-exact.log", TABLE: "tables/durations.log"}
    for target, log in logs.items():
        for file in (project.path / target).parent.glob(f"*{Path(target).stem.removeprefix('zero_fraction')}.*"):
            file.unlink()
        (project.path / "results/logs" / log).write_text("so that there is room for the message")
    remount(filled(project))
    output = project.snakemake("--cores", "1", "--keep-going", "--", *logs, ok=False)
    for target in logs:
        (message,) = messages(project, output, target)
        assert "No space left on device" in message
    remount("size=64m")
    project.snakemake("--cores", "2", "--", JACOBIAN, *logs)
    assert project.fingerprint() == before


def test_results_that_cannot_be_written_can_be_read(project, finished, tmp_path, remount):
    before = project.fingerprint()
    remount("ro")
    assert "Nothing to be done" in project.run()
    assert project.cli("verify", "results").stdout.count(": sound") == STORES
    assert "task: CartpoleBalance" in project.cli("inspect", JACOBIAN).stdout
    assert xr.open_zarr(project.path / JACOBIAN, consolidated=False).jacobian.notnull().all()
    project.change("temporal.max_patterns", 1)
    output = project.snakemake("--cores", "1", "--", PATTERNS, ok=False)
    assert "Write-protected output files" in output and PATTERNS in output and "Traceback" not in output
    project.change("seeds", [0, 7])
    output = project.snakemake("--cores", "1", "--", JACOBIAN.replace("/0", "/7"), ok=False)
    assert "results cannot be written to (mounted read-only" in output and "Traceback" not in output
    project.change("seeds", [0])
    assert project.fingerprint() == before
    remount("rw")
    undisturbed = finished.copy(tmp_path / "undisturbed")
    undisturbed.change("temporal.max_patterns", 1)
    for study in (project, undisturbed):
        study.snakemake("--cores", "1", "--", PATTERNS)
    assert project.fingerprint() == undisturbed.fingerprint() != before
