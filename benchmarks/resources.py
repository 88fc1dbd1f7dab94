"""Resources that jobs request from a scheduler, compared with what they used."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import small_study
from dynamic_sparsity.study import resources as job_resources
from dynamic_sparsity.study import study as studies
from dynamic_sparsity.tasks import sizes as task_sizes

_FOLDERS = {"figures": "figure", "tables": "table"}


def measure() -> list[dict[str, object]]:
    """One row per rule, over its jobs: least and largest ratio of requested to used memory, and least ratio of time."""
    study = studies.load_study(small_study.CONFIG)
    by_rule: dict[str, list[tuple[float, float, float]]] = {}
    for log in sorted((small_study.finished().path / "results/logs").rglob("*.log")):
        used = re.search(r"used ([\d.]+) s and at most (\d+) MB", log.read_text())
        assert used, f"{log} does not say what its job used"
        rule, task, method = _job(log)
        requested = job_resources.request(study, rule, task, "noise", method)
        megabytes = int(used[2])
        row = megabytes, requested.memory_mb / megabytes, 60 * requested.minutes / max(0.1, float(used[1]))
        by_rule.setdefault(rule, []).append(row)
    return [
        {
            "rule": rule,
            "jobs": len(rows),
            "used_mb": max(mb for mb, _, _ in rows),
            "memory_over_used": min(ratio for _, ratio, _ in rows),
            "memory_over_used_most": max(ratio for _, ratio, _ in rows),
            "time_over_used": min(ratio for _, _, ratio in rows),
        }
        for rule, rows in by_rule.items()
    ]


def _job(log: Path) -> tuple[str, str | None, str]:
    """Rule, task and method of the job that wrote a log, results/logs/FOLDER/WILDCARDS.log."""
    parts = log.stem.split("-")
    task = next((part for part in parts if part in task_sizes.ALL), None)
    rule = _FOLDERS.get(log.parent.name, log.parent.name)
    if rule == "figure" and task is None:
        rule = "study_figure"
    if log.name.startswith("embedding-"):
        rule = "embedding_figure"
    return rule, task, "implicit" if "implicit" in parts else "exact"
