"""Wall time of whole studies in a fresh copy: cold, warm, nothing to do, and planning a large one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import yaml

from dynamic_sparsity.task_names import DM_CONTROL_SUITE
from tests.pipeline.project import ROOT, Project


def measure() -> list[dict[str, object]]:
    """Seconds of each, with all cores."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["DYNAMIC_SPARSITY_CACHE"] = str(Path(directory) / "cache")
        project = Project.create(Path(directory) / "project")
        shutil.copy2(ROOT / "config.yaml", project.path / "config.yaml")
        rows = [_timed("default study, nothing cached", project, "--cores", "all")]
        rows.append(_timed("nothing to do", project, "--cores", "all"))
        shutil.rmtree(project.path / "results")
        rows.append(_timed("default study, compile cache kept", project, "--cores", "all"))
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        project.configure({**config, "tasks": list(DM_CONTROL_SUITE)})
        rows.append(_timed("dry run of 25 tasks", project, "--dry-run", "--quiet"))
        return rows


def _timed(what: str, project: Project, *arguments: str) -> dict[str, object]:
    started = time.perf_counter()
    project.snakemake(*arguments)
    row = {"what": what, "seconds": time.perf_counter() - started}
    print(f"{what}: {row['seconds']:.1f} s", flush=True)
    return row
