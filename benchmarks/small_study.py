"""A study of three tasks of very different size on one core; it runs once for all benchmarks that read its results."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.pipeline.project import Project

TASKS = ("CartpoleBalance", "CheetahRun", "HumanoidWalk")
EPISODES, STEPS = 3, 500
CONFIG = {
    "tasks": list(TASKS),
    "policies": {"noise": {}},
    "seeds": [0, 1],
    "rollouts": {"episodes": EPISODES, "steps": STEPS},
    "ablation": {"tasks": list(TASKS), "policies": ["noise"], "variants": ["exact"], "steps": 20},
    "embedding": {"tasks": list(TASKS)},
    "world_models": {"tasks": ["CheetahRun"], "seeds": [0, 1], "training": {"epochs": 5}},
}


@functools.cache
def finished() -> Project:
    """The study with its results; it is deleted when this process ends."""
    directory = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    project = Project.create(directory / "project")
    project.configure(CONFIG)
    project.snakemake("--cores", "1")
    targets = [f"results/jacobians/{task}/noise/implicit/{seed}.zarr" for task in TASKS for seed in CONFIG["seeds"]]
    targets += [f"results/durations/{task}/noise/exact/{seed}.zarr" for task in TASKS for seed in CONFIG["seeds"]]
    project.snakemake("--cores", "1", "--", *targets)
    return project
