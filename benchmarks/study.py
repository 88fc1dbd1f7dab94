"""The default study in a fresh copy: times (cold, warm, no work, first figure), processes, disk, models, planning.

Each number comes with the project's bound for it, on two cores with nothing else running.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml
from tests.pipeline.project import ROOT, Project

from dynamic_sparsity.settings.world_models import CONTROLS
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE


def measure() -> list[dict[str, object]]:
    """Rows of measurements and their bounds, with all cores."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["DYNAMIC_SPARSITY_CACHE"] = str(Path(directory) / "cache")
        project = Project.create(Path(directory) / "project")
        shutil.copy2(ROOT / "config.yaml", project.path / "config.yaml")
        rows = [_row("processes of the default study", len(project.planned()), 200, "")]
        started = time.time()
        rows.append(_timed("default study, nothing cached", project, 600, "--cores", "all"))
        rows.append(_row("first figure on disk, nothing cached", _first_figure(project) - started, 150, "s"))
        rows += [_row("results on disk", _megabytes(project.path / "results"), None, "MB")]
        rows += [_row("programs on disk", _megabytes(Path(directory) / "cache"), None, "MB")]
        rows += _of_models(project)
        rows.append(_timed("nothing to do", project, 3, "--cores", "all"))
        shutil.rmtree(project.path / "results")
        rows.append(_timed("default study, programs kept", project, 240, "--cores", "all"))
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        project.configure({**config, "tasks": list(DM_CONTROL_SUITE)})
        rows.append(_timed("dry run of 25 tasks", project, None, "--dry-run", "--quiet"))
        return rows


def _of_models(project: Project) -> list[dict[str, object]]:
    """Ratios of median next-state errors over test episodes: models to persistence, the plain MLP to the linear fit."""
    scores = pd.read_csv(project.path / "results/tables/recovery.csv")
    scores = scores[(scores.condition == "all") & (scores.basis == "scaled")]
    rows = []
    for task, of_task in scores.groupby("task"):
        error = of_task.set_index("model").one_step_error_median
        trained = [model for model in error.index if model not in CONTROLS]
        for model in trained:
            rows.append(_row(f"{task}: {model} over persistence", error[model] / error["persistence"], 0.5, ""))
        rows.append(_row(f"{task}: mlp over linear", error["mlp"] / error["linear"], 1, ""))
    return rows


def _first_figure(project: Project) -> float:
    return min(path.stat().st_mtime for path in (project.path / "results/figures").glob("*.png"))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _timed(label: str, project: Project, bound: float | None, *arguments: str) -> dict[str, object]:
    started = time.perf_counter()
    project.snakemake(*arguments)
    return _row(label, time.perf_counter() - started, bound, "s")


def _row(label: str, value: float, bound: float | None, unit: str) -> dict[str, object]:
    print(f"{label}: {value:.3g} {unit}", flush=True)
    return {"what": label, "value": value, "bound": bound, "unit": unit}
