"""The cost of a full study from measured unit costs, and the time to plan it.

Seconds per unit of work and bytes come from the seeds of a small study, without the time to compile programs. The times
of Jacobians and rollouts grow with the number of inputs by the power that leads from CheetahRun to HumanoidWalk. Sizes
of tasks are those of `dynamic_sparsity.tasks.sizes`. Experts take the time of the shipped ones, world models at most
their time limit.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import yaml
from tests.pipeline.project import ROOT, Project

from benchmarks import small_study
from dynamic_sparsity.experts.expert import read_expert
from dynamic_sparsity.settings.world_models import WorldModelsSettings
from dynamic_sparsity.stores.digests import files_of
from dynamic_sparsity.tasks import sizes as task_sizes

_LARGEST = small_study.TASKS[-1]
POLICIES, SEEDS, EPISODES, STEPS = 5, 10, 100, 1000
WIDENED = '    "zero": PolicyKind("Zero controls: the passive system.", still=True),\n'


def measure() -> list[dict[str, object]]:
    """Rows of unit costs, then of total costs, then of the plan of the full study."""
    rows = costs(small_study.finished().path / "results")
    with tempfile.TemporaryDirectory() as directory:
        return rows + planned(Project.create(Path(directory) / "project"))


def planned(project: Project) -> list[dict[str, object]]:
    """Dry runs of the full study, in a copy of the project that knows 54 tasks and five policies.

    The first has survival curves and figures of the first policy only, as in config.yaml; the second those of all five.
    """
    widen(project)
    rows = _dry_run(project, "full study")
    project.change("comparison.full", True)
    return rows + _dry_run(project, "figures of all policies")


def _dry_run(project: Project, label: str) -> list[dict[str, object]]:
    started = time.perf_counter()
    process = project.popen("--dry-run", "--quiet", "rules")
    assert process.stdout, "the output of snakemake is piped"
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds, gigabytes = time.perf_counter() - started, used.ru_maxrss * 1024 / 1e9
    if status:
        raise RuntimeError(output[-3000:])
    counts = Counter({rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", output, re.M)})
    total = counts.pop("total")
    return [
        _row(f"{label}: dry run (bound: 20)", seconds, "s"),
        _row(f"{label}: peak memory of the dry run (bound: 2)", gigabytes, "GB"),
        *(_row(f"{label}: jobs of {rule}", count, "") for rule, count in sorted(counts.items())),
        _row(f"{label}: jobs", total, ""),
        _row(f"{label}: jobs in Slurm", in_slurm(counts, project.path), ""),
    ]


def widen(project: Project) -> None:
    """Gives a copy of the project the full study: all of Playground's tasks, two more policies, and its size."""
    package = project.path / "src/dynamic_sparsity"
    names = package / "tasks/names.py"
    names.write_text(names.read_text().replace("tuple(sizes.DM_CONTROL_SUITE)", "tuple(sizes.ALL)"))
    kinds = package / "settings/policy_kinds.py"
    more = "".join(WIDENED.replace('"zero"', f'"{name}"') for name in ("pink", "white"))
    kinds.write_text(kinds.read_text().replace(WIDENED, WIDENED + more))
    for name in ("pink", "white"):
        shutil.copy(package / "simulation/policies/zero.py", package / f"simulation/policies/{name}.py")
    project.configure(
        {
            "tasks": list(task_sizes.ALL),
            "policies": {"expert": {"source": "train"}, **{name: {} for name in ("noise", "zero", "pink", "white")}},
            "seeds": list(range(SEEDS)),
            "comparison": {"seeds": None},
            "rollouts": {"episodes": EPISODES, "steps": STEPS},
        }
    )


def in_slurm(counts: Counter[str], project: Path) -> int:
    """How many Slurm jobs the groups of profiles/slurm make of these jobs; a component has one job of each rule."""
    profile = yaml.safe_load((project / "profiles/slurm/config.yaml").read_text())
    group_of = dict(entry.split("=") for entry in profile["groups"])
    size = {name: int(number) for name, number in (entry.split("=") for entry in profile["group-components"])}
    separate = {
        "table",
        "figure",
        "embedding_figure",
        "study_figure",
        "summary",
        "survival",
        "patterns",
        "structure",
        "clustering",
    }  # jobs of these rules do not depend on each other
    components: Counter[str] = Counter()
    for rule, count in counts.items():
        group = group_of.get(rule, rule)
        components[group] = components[group] + count if rule in separate else max(components[group], count)
    return sum(math.ceil(count / size.get(group, 1)) for group, count in components.items() if group != "all")


def costs(results: Path) -> list[dict[str, object]]:
    """Core hours, bytes and files of the full study, from a small study's results."""
    units = {stage: _per_step(results, stage) for stage in ("rollouts", "jacobians/exact", "jacobians/implicit")}
    rows = [
        _row(f"{stage}: seconds per step and substep at 24 inputs", math.exp(intercept + slope * math.log(24)), "s")
        for stage, (slope, intercept) in units.items()
    ]
    rows += [_row(f"{stage}: exponent of the number of inputs", slope, "") for stage, (slope, _) in units.items()]
    runs = POLICIES * SEEDS
    steps = runs * EPISODES * STEPS
    hours = {
        stage: sum(
            steps * size.substeps * math.exp(intercept + slope * math.log(size.inputs)) for size in task_sizes.ALL.values()
        )
        / 3600
        for stage, (slope, intercept) in units.items()
    }
    entries = sum(size.entries for size in task_sizes.ALL.values()) * steps
    for stage in ("sparsity", "durations", "summary", "survival", "patterns", "clustering"):
        hours[stage] = entries * _per_entry(results, stage) / 3600
    minutes = [
        read_expert(path).provenance.get("minutes") for path in sorted((ROOT / "resources/policies").glob("*.safetensors"))
    ]
    hours["policies"] = len(task_sizes.ALL) * SEEDS * float(np.mean([value for value in minutes if value])) / 60
    models = WorldModelsSettings()
    trainings = len(models.tasks or []) * len(models.models) * len(models.seeds)
    hours["world_models, at most"] = trainings * models.training.seconds / 3600
    rows += [_row(f"{stage}: core hours", value, "h") for stage, value in hours.items()]
    for stage in ("rollouts", "jacobians", "sparsity", "durations"):
        rows.append(_row(f"{stage}: bytes per entry of a Jacobian", _bytes_per_entry(results, stage), "B"))
        rows.append(_row(f"{stage}: terabytes", entries * _bytes_per_entry(results, stage) / 1e12, "TB"))
        rows.append(_row(f"{stage}: files", _files(results, stage), ""))
    return rows


def _row(label: str, value: float, unit: str) -> dict[str, object]:
    return {"what": label, "value": value, "unit": unit}


def _seconds_per_episode(log: Path) -> float:
    """Seconds per episode by the job's last progress line, without the time to load programs meanwhile."""
    text = log.read_text()
    loaded = sum(map(float, re.findall(r"(?:traced|compiled or loaded) in ([\d.]+) s", text.partition("0%|")[2])))
    rate, unit = re.findall(r"100%.* ([\d.]+)(episode/s|s/episode)", text)[-1]
    seconds = float(rate) if unit == "s/episode" else 1 / float(rate)
    return max(1e-4, seconds - loaded / small_study.EPISODES)


def _per_step(results: Path, stage: str) -> tuple[float, float]:
    """Slope and intercept of log(seconds per step and substep) over log(inputs), by a line through two larger tasks."""
    kind, _, method = stage.partition("/")  # rollouts have no method
    times, inputs = [], []
    for task in small_study.TASKS[1:]:  # CartpoleBalance's time is mostly overhead
        name = "-".join(part for part in (task, "noise", method) if part)
        size = task_sizes.ALL[task]
        faster = min(_seconds_per_episode(results / f"logs/{kind}/{name}-{seed}.log") for seed in (0, 1))
        times.append(faster / small_study.STEPS / size.substeps)
        inputs.append(size.inputs)
    slope, intercept = np.polyfit(np.log(inputs), np.log(times), 1)
    return float(slope), float(intercept)


def _largest(results: Path, stage: str) -> list[Path]:
    return sorted((results / stage).glob(f"{_LARGEST}/noise/**/*.zarr"))


def _entries(results: Path, stage: str) -> int:
    """Entries of the Jacobians behind the largest task's stores of a stage."""
    seeds = 2 if stage in ("summary", "survival", "patterns", "clustering") else 1
    return task_sizes.ALL[_LARGEST].entries * small_study.EPISODES * small_study.STEPS * seeds


def _per_entry(results: Path, stage: str) -> float:
    name = "" if stage in ("summary", "survival", "patterns", "clustering") else "-1"
    log = results / f"logs/{stage}/{_LARGEST}-noise-exact{name}.log"
    used = re.search(r"used ([\d.]+) s", log.read_text())
    assert used, f"{log} does not say what its job used"
    return max(0.01, float(used[1]) - 0.3) / _entries(results, stage)


def _bytes_per_entry(results: Path, stage: str) -> float:
    store = _largest(results, stage)[0]
    return sum(file.stat().st_size for file in files_of(store)) / _entries(results, stage)


def _files(results: Path, stage: str) -> int:
    """Number of files in all stores of the full study: metadata and coordinates as in the small one, and shards."""
    store = _largest(results, stage)[0]
    fixed = len(files_of(store))
    arrays = len(list(store.glob("*/c")))
    total = 0
    for size in task_sizes.ALL.values():
        episode = _EPISODE_BYTES[stage] * STEPS * size.entries
        shards = math.ceil(EPISODES / max(1, min(EPISODES, 32 * 2**20 // max(1, episode))))
        total += fixed + arrays * (shards - 1)
    return total * POLICIES * SEEDS


_EPISODE_BYTES = {"rollouts": 0.1, "jacobians": 8, "sparsity": 2, "durations": 1}
"""Bytes in memory per entry of an episode's Jacobians, which decide how many episodes share a shard."""
