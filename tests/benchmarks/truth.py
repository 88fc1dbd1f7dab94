"""How far the methods are from the truth: central differences of the same step, on recorded steps of every task."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from dynamic_sparsity.settings import ROUGH
from dynamic_sparsity.task_names import DM_CONTROL_SUITE
from tests.benchmarks.process import measured

EXPERTS = (
    *("BallInCup", "CartpoleBalance", "CheetahRun", "ReacherHard"),
    *("FingerSpin", "FingerTurnEasy", "WalkerRun", "SwimmerSwimmer6"),
)
FOLDER = Path("results/bench/truth")
"""Where recorded steps are kept."""
METHODS = ("exact", "implicit", "unrolled")
SEED, EPISODES, STEPS, SAMPLE = 3, 2, 1000, 150
"""Of the rollouts, and how many steps of each episode are differentiated: another seed than the studies have."""


def measure() -> list[dict[str, object]]:
    """One row per task and policy: steps, the share of rough ones, and of the others the share that each method has off.

    rough: central differences of widths 1e-6 and 1e-5 are more than 1e-3 of the largest entry apart; off_1, off_10:
    largest error above 1 %, 10 % of the largest entry; median: of that ratio; same_zeros: as `unrolled` at 1e-12.
    `unrolled` is measured on the tasks that have experts; it compiles for minutes on others.
    """
    runs = [(task, "noise") for task in DM_CONTROL_SUITE] + [(task, "expert") for task in EXPERTS]
    rows = []
    for task, policy in runs:
        methods = METHODS if task in EXPERTS else METHODS[:2]
        rows.append({"task": task, "policy": policy, **measured("truth", task, policy, *methods)})
        print(
            " ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{value}" for name, value in rows[-1].items())
        )
    return rows


def record(name: str, policy: str, path: Path) -> None:
    """Roll out in single precision, as the study does, and keep steps at even distances."""
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1)
    from dynamic_sparsity import experts, shipped_experts
    from dynamic_sparsity.settings import PolicySettings
    from dynamic_sparsity.simulation.policies import make_policy
    from dynamic_sparsity.simulation.rollout import Roller
    from dynamic_sparsity.simulation.tasks import load_task

    expert = None
    if policy == "expert":
        files = shipped_experts.of_tasks(Path("resources/policies"), [name])[name]
        expert = experts.read_expert(files[SEED % len(files)].path, name, "restore it")
    roller = Roller(load_task(name), make_policy(policy, PolicySettings.model_validate({policy: {}}), expert))
    episodes = [roller.episode(SEED, number, STEPS).trimmed().start for number in range(EPISODES)]
    kept = [np.unique(np.linspace(0, len(start.qpos) - 1, SAMPLE).astype(int)) for start in episodes]
    parts = zip(*([part[steps] for part in start] for start, steps in zip(episodes, kept, strict=True)), strict=True)
    np.savez(path, **dict(zip(episodes[0]._fields, map(np.concatenate, parts), strict=True)))


def compare(name: str, path: Path, methods: list[str]) -> dict[str, object]:
    """Shares of steps that each method has off."""
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1, double_precision=True)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded

    task = load_task(name)
    with np.load(path) as arrays:
        start = Recorded(*(arrays[field].astype(float) for field in Recorded._fields))
    truth = Differentiator(task, "differences")(start)
    smooth = truth.roughness <= ROUGH
    largest = np.abs(truth.jacobian).max(axis=(1, 2))
    row: dict[str, object] = {
        "steps": len(smooth),
        "rough": float(1 - smooth.mean()),
        "unconverged": float(1 - truth.activity.converged.mean()),
    }
    jacobians = {method: Differentiator(task, method)(start).jacobian for method in methods}
    for method, jacobian in jacobians.items():
        error = (np.abs(jacobian - truth.jacobian).max(axis=(1, 2)) / largest)[smooth]
        row |= {f"{method}_off_1": float((error > 0.01).mean()), f"{method}_off_10": float((error > 0.1).mean())}
        row[f"{method}_median"] = float(np.median(error))
    if "unrolled" in jacobians:
        zeros = {method: np.abs(jacobian) < 1e-12 for method, jacobian in jacobians.items()}
        row["same_zeros"] = float((zeros["exact"] == zeros["unrolled"]).all(axis=(1, 2)).mean())
    return row


if __name__ == "__main__":
    task_name, policy_name, *asked = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    steps = FOLDER / f"{task_name}-{policy_name}.npz"
    if not asked:
        record(task_name, policy_name, steps)
        print("{}")
    else:
        measured("truth", task_name, policy_name)
        print(json.dumps(compare(task_name, steps, asked)))
