"""Damaged stores, clocks that were set back, two runs at once: named by a message, repaired by a documented command."""

import os
import re
import shutil
import subprocess

from tests.pipeline.project import ROOT, STORES

JACOBIAN = "results/jacobians/CartpoleBalance/noise/exact/0.zarr"
SPARSITY = "results/sparsity/CartpoleBalance/expert/exact/0.zarr"
SUMMARY = "results/summary/CartpoleBalance/expert/exact.zarr"

HELD = """
import time as _time
_quick_write, _held_until = EpisodeWriter.write, _time.monotonic() + 120
def _held_write(self, *arguments, **keywords):
    while self._attrs["kind"] == "jacobians" and Path("hold").exists() and _time.monotonic() < _held_until:
        _time.sleep(0.1)
    _quick_write(self, *arguments, **keywords)
EpisodeWriter.write = _held_write
"""


def test_a_second_snakemake_is_refused_and_the_first_not_disturbed(project):
    before = project.fingerprint()
    store = project.path / JACOBIAN
    shutil.rmtree(store)
    (project.path / "hold").touch()
    project.edit("stores/writing.py", HELD)
    first = project.popen("--cores", "1", "--rerun-triggers", "mtime", "--", JACOBIAN)
    project.wait_for(store.with_name(f".{store.name}.partial"), first)
    second = project.run(ok=False)
    assert "Directory cannot be locked" in second and "Traceback" not in second
    assert first.poll() is None and not store.exists()
    (project.path / "hold").unlink()
    output = first.communicate()[0]
    assert first.returncode == 0, output[-3000:]
    assert project.fingerprint() == before
    project.snakemake("--dry-run")  # the directory is not locked


def chunk_of(store, array):
    return next(path for path in (store / array / "c").rglob("*") if path.is_file())


def test_one_command_finds_damage_and_another_repairs_it(project):
    before = project.fingerprint()
    chunk_of(project.path / JACOBIAN, "jacobian").unlink()
    flipped = chunk_of(project.path / SPARSITY, "zero")
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    (project.path / SUMMARY / "zarr.json").unlink()
    assert "Nothing to be done" in project.run(), "snakemake compares times, not content"
    verified = project.cli("verify", "results")
    assert verified.returncode == 1 and f"3 of {STORES} are damaged: delete" in verified.stderr
    for damaged, words in ((JACOBIAN, "is missing"), (SPARSITY, "has been altered"), (SUMMARY, "not a store")):
        assert f"{damaged}: damaged" in verified.stdout and re.search(f"{damaged}.*{words}", verified.stdout)
        assert damaged in verified.stderr
        shutil.rmtree(project.path / damaged)
    project.snakemake("--cores", "2", "--", JACOBIAN, SPARSITY, SUMMARY)
    assert project.fingerprint() == before and project.cli("verify", "results").returncode == 0


def test_a_store_of_another_schema_is_named(project):
    before = project.fingerprint()
    metadata = project.path / JACOBIAN / "zarr.json"
    text = metadata.read_text()
    metadata.write_text(text.replace('"schema_version": 2', '"schema_version": 1'))
    assert metadata.read_text() != text
    sparsity = SPARSITY.replace("expert", "noise")
    shutil.rmtree(project.path / sparsity)
    output = project.snakemake("--cores", "1", "--", sparsity, ok=False)
    message = f"{JACOBIAN} holds 'jacobians' in schema version 1, expected 'jacobians' in 2: delete it and run snakemake"
    assert f"error: {message}" in output and "Traceback" not in output and not (project.path / sparsity).exists()
    assert message in project.cli("verify", "results").stdout
    shutil.rmtree(project.path / JACOBIAN)
    project.snakemake("--cores", "2", "--", JACOBIAN, sparsity)
    assert project.fingerprint() == before


def from_the_readme(word):
    """The only command in README.md that contains `word`."""
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if word in line and line.startswith("find ")]
    return line.partition("  #")[0]


def test_results_with_times_in_the_future_are_named_and_repaired(project):
    before = project.fingerprint()
    newer = project.path / JACOBIAN / ".snakemake_timestamp"
    os.utime(newer, (newer.stat().st_atime, newer.stat().st_mtime + 3600))  # its dependents are out of date
    for path in (project.path / "results").rglob("*"):
        times = path.lstat()
        tomorrow = (times.st_atime_ns + 86_400 * 10**9, times.st_mtime_ns + 86_400 * 10**9)
        os.utime(path, ns=tomorrow, follow_symlinks=False)
    shutil.rmtree(project.path / SPARSITY)
    planned = project.planned()
    output = project.snakemake("--cores", "1", "--", SPARSITY, ok=False)
    assert "older modification time" in output and "clock skew" in output and "Traceback" not in output
    assert not (project.path / SPARSITY).exists()
    subprocess.run(["bash", "-c", from_the_readme("touch")], cwd=project.path, check=True)
    noise = SPARSITY.replace("expert", "noise")
    assert sorted(project.planned()) == sorted(planned) and any("policy=noise" in wildcards for _, wildcards in planned)
    project.snakemake("--cores", "2", "--", SPARSITY, noise)
    assert project.fingerprint() == before
