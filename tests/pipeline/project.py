"""A copy of the project with a study that takes seconds, to run Snakemake in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["Snakefile", "config.yaml", "workflow", "profiles", "src", "resources", "envs"]
SMALL = {
    "tasks": ["CartpoleBalance"],
    "policies": {"expert": {}, "noise": {"beta": 0.5, "scale": 0.5}},
    "seeds": [0],
    "rollouts": {"episodes": 3, "steps": 25},
    "temporal": {"max_lag": 10, "max_patterns": 20, "shifts": 30},
    "resampling": {"resamples": 20},
    "world_models": {"tasks": []},
}
REMOVED = ("PYTHONPATH", "XLA_FLAGS", "JAX_PLATFORMS")
"""Variables of the test process that Snakemake does not inherit."""
HELD_WRITES = """
import time as _time
SHARD_BYTES = 1
_quick_flush, _held_until = EpisodeWriter._flush, _time.monotonic() + 120
def _held_flush(self):
    _quick_flush(self)
    while self._attrs["kind"] == "jacobians" and Path("hold").exists() and _time.monotonic() < _held_until:
        _time.sleep(0.1)
EpisodeWriter._flush = _held_flush
"""
"""Appended to `stores/writing.py`: shards hold one episode, and a Jacobian job waits after the first while `hold`
exists."""
STORES = 17
"""How many stores the study has."""
AFTER_SPARSITY = {"summary", "survival", "patterns", "clustering", "interventions", "figure", "study_figure", "table"}


class Project:
    """A copy of the checkout with the results of its study."""

    _started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Project:
        """Copy this checkout's code and configure a study that takes seconds."""
        for name in COPIED:
            source, target = ROOT / name, path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy2(source, target)
        project = cls(path)
        project.configure(SMALL)
        return project

    def copy(self, path: Path) -> Project:
        """Copy the project with its results, their times and Snakemake's records."""
        shutil.copytree(self.path, path, symlinks=True)
        return Project(path)

    def configure(self, config: dict[str, Any]) -> None:
        """Write config.yaml."""
        (self.path / "config.yaml").write_text(yaml.safe_dump(config))

    def change(self, key: str, value: object) -> None:
        """Change one value of config.yaml, by its dotted key."""
        config = yaml.safe_load((self.path / "config.yaml").read_text())
        *parents, last = key.split(".")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
        self.configure(config)

    def edit(self, module: str, text: str = "\n_EDITED = True\n") -> None:
        """Append to a package file."""
        path = self.path / "src/dynamic_sparsity" / module
        path.write_text(path.read_text() + text)

    def children(self, process: subprocess.Popen[str], name: str) -> list[psutil.Process]:
        """Running descendants of `process` whose command line holds `name`."""
        return [child for child in psutil.Process(process.pid).children(recursive=True) if name in child.cmdline()]

    def popen(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start snakemake in the project as a user would, without the test process's settings."""
        environment = {name: value for name, value in os.environ.items() if name not in REMOVED}
        command = [sys.executable, "-m", "snakemake", *arguments]
        output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        # A session of its own, by which `end_all` finds processes that have outlived their parent.
        process = subprocess.Popen(command, cwd=self.path, env=environment, start_new_session=True, **output, **options)
        self._started.append(process)
        return process

    @classmethod
    def end_all(cls) -> None:
        """Kill all processes that projects have started and that still run."""
        sessions = {process.pid for process in cls._started}
        running = [process for process in psutil.process_iter() if sessions and _session(process.pid) in sessions]
        for process in running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in cls._started:
            process.wait(10)
            if process.stdout:
                process.stdout.close()
        cls._started.clear()

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        """Run snakemake to its end and return what it printed."""
        process = self.popen(*arguments)
        output = process.communicate()[0]
        assert (process.returncode == 0) == ok, output[-6000:]
        return output

    def wait_for(self, path: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
        """Wait until `path` exists, while `process` runs."""
        deadline = time.monotonic() + seconds
        while not path.exists():
            assert process.poll() is None and time.monotonic() < deadline, f"{path} was not written"
            time.sleep(0.02)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dynamic-sparsity` in the project."""
        environment = {**os.environ, "PYTHONPATH": str(self.path / "src")}
        command = [sys.executable, "-m", "dynamic_sparsity.cli", *arguments]
        return subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True)

    def run(self, cores: int = 2, ok: bool = True) -> str:
        """Compute the study."""
        return self.snakemake("--cores", str(cores), ok=ok)

    def planned(self) -> list[tuple[str, str]]:
        """(rule, wildcards) of the jobs that snakemake would run now."""
        return jobs(self.snakemake("--dry-run"))

    def fingerprint(self) -> dict[str, str]:
        """Checksum of every file of every store, table and figure, without the git commit in their metadata."""
        result = {}
        for path in sorted((self.path / "results").rglob("*")):
            name = path.relative_to(self.path).as_posix()
            is_result = ".zarr/" in name or name.startswith(("results/tables", "results/figures"))
            if path.is_file() and is_result and not path.name.startswith(".snakemake"):
                content = re.sub(rb'"git_commit": ?"[^"]*"', b"", path.read_bytes())
                result[name] = hashlib.sha256(content).hexdigest()
        assert result
        return result


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:  # the process has ended, or belongs to another user
        return None


def jobs(output: str) -> list[tuple[str, str]]:
    """(rule, wildcards) of the jobs in snakemake's output, without `all`."""
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", output, flags=re.MULTILINE)
    wildcards = [re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE) for _, block in blocks]
    return [
        (rule, match.group(1) if match else "") for (rule, _), match in zip(blocks, wildcards, strict=True) if rule != "all"
    ]


def rules(planned: list[tuple[str, str]]) -> set[str]:
    """The names of the rules among jobs."""
    return {rule for rule, _ in planned}
