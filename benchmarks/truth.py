"""Errors of the methods against the truth, central differences of the same step, on recorded steps of every task."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.process import measured
from dynamic_sparsity.settings.ablation import ROUGH
from dynamic_sparsity.settings.jacobians import JacobianSettings, Method
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE

EXPERTS = (
    *("BallInCup", "CartpoleBalance", "CheetahRun", "ReacherHard"),
    *("FingerSpin", "FingerTurnEasy", "WalkerRun", "SwimmerSwimmer6"),
)
FOLDER = Path("results/bench/truth")
"""The folder of recorded steps."""
METHODS = ("exact", "implicit", "unrolled")
SEED, EPISODES, STEPS, SAMPLE = 3, 2, 1000, 300
"""The rollouts' seed, which no study has, their number and length; and how many steps are compared with the truth."""


def measure() -> list[dict[str, object]]:
    """One row per task and policy: the share of rough steps, and of the other steps the share that a method has wrong.

    - rough: central differences of widths 1e-6 and 1e-5 differ by more than 1e-3 of the largest entry;
    - off_1, off_10: the largest error is above 1 %, 10 % of the largest entry; off_1 also separately for steps in which
      the solver converged and did not; median: the median of that ratio;
    - best_off_1: off_1 of the better of `unrolled` and `implicit` in each step;
    - patterns, other_patterns: of all recorded steps, how many have other zeros by `exact` than by `unrolled` at 1e-12.

    `unrolled` is measured on the tasks that have experts; on others it compiles for minutes.
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
    """Records rollouts in single precision, as the study does."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1)
    from dynamic_sparsity.experts import expert as experts
    from dynamic_sparsity.experts import shipped as shipped_experts
    from dynamic_sparsity.settings.policies import PolicySettings
    from dynamic_sparsity.simulation.policies import make_policy
    from dynamic_sparsity.simulation.rollout import Roller
    from dynamic_sparsity.simulation.tasks import load_task

    expert = None
    if policy == "expert":
        files = shipped_experts.of_tasks(Path("resources/policies"), [name])[name]
        expert = experts.read_expert(files[SEED % len(files)].path, name, "restore it")
    roller = Roller(load_task(name), make_policy(policy, PolicySettings.model_validate({policy: {}}), expert))
    episodes = [roller.episode(SEED, number, STEPS).trimmed().start for number in range(EPISODES)]
    parts = map(np.concatenate, zip(*episodes, strict=True))
    np.savez(path, **dict(zip(episodes[0]._fields, parts, strict=True)))


def compare(name: str, path: Path, methods: list[Method]) -> dict[str, object]:
    """The measures of each method on the steps in `path`."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=True)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded

    task = load_task(name)
    with np.load(path) as arrays:
        start = Recorded(*(arrays[field].astype(float) for field in Recorded._fields))
    chosen = np.linspace(0, len(start.qpos) - 1, SAMPLE).astype(int)
    truth = Differentiator(task, "differences")(Recorded(*(part[chosen] for part in start)))
    assert truth.roughness is not None, "method `differences` measures roughness"
    smooth, converged = truth.roughness <= ROUGH, truth.activity.converged
    row: dict[str, object] = {"steps": SAMPLE, "rough": float(1 - smooth.mean())}
    row["unconverged"] = float(1 - converged.mean())
    jacobians = {method: Differentiator(task, method)(start).jacobian for method in methods}
    largest = np.abs(truth.jacobian).max(axis=(1, 2))
    errors: dict[str, np.ndarray] = {
        method: np.abs(jacobian[chosen] - truth.jacobian).max(axis=(1, 2)) / largest
        for method, jacobian in jacobians.items()
    }
    if "unrolled" in errors:
        errors["best"] = np.minimum(errors["unrolled"], errors["implicit"])
        zeros = {method: np.abs(jacobians[method]) < 1e-12 for method in ("exact", "unrolled")}
        row |= {"patterns": len(start.qpos), "other_patterns": int((zeros["exact"] != zeros["unrolled"]).any((1, 2)).sum())}
    for method, error in errors.items():
        row |= {f"{method}_off_1": _off(error[smooth], 0.01), f"{method}_off_10": _off(error[smooth], 0.1)}
        row[f"{method}_off_1_converged"] = _off(error[smooth & converged], 0.01)
        row[f"{method}_off_1_unconverged"] = _off(error[smooth & ~converged], 0.01)
        row[f"{method}_median"] = float(np.median(error[smooth]))
    return row


def _off(error: np.ndarray, limit: float) -> float:
    """Share of errors that are above the limit or NaN."""
    return float((~(error <= limit)).mean()) if len(error) else np.nan


if __name__ == "__main__":
    task_name, policy_name, *method_names = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    steps = FOLDER / f"{task_name}-{policy_name}.npz"
    if not method_names:
        record(task_name, policy_name, steps)
        print("{}")
    else:
        measured("truth", task_name, policy_name)
        methods = [JacobianSettings.of_variant(method).method for method in method_names]
        print(json.dumps(compare(task_name, steps, methods)))
