"""Time per Jacobian by the number of steps differentiated side by side; the source of `differentiate._BATCHES`."""

from __future__ import annotations

import json
import sys

from benchmarks.jacobians import policy_of
from benchmarks.process import measured
from dynamic_sparsity.settings.jacobians import JacobianSettings, Method

TASKS = ("CartpoleBalance", "FingerSpin", "HopperHop", "CheetahRun", "FishSwim", "HumanoidWalk")
BATCHES = (1, 4, 16, 48)
STEPS = 96


def measure() -> list[dict[str, object]]:
    """One row per task and method: milliseconds per Jacobian (median of 5, one pinned core, float64) for each batch."""
    rows = []
    for method in ("exact", "implicit", "unrolled"):
        for task in TASKS:
            measured("truth", task, policy_of(task))  # records the steps
            row = {"method": method, **measured("batches", method, task)}
            print(" ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{value}" for name, value in row.items()))
            rows.append(row)
    return rows


def _times(method: Method, name: str) -> dict[str, object]:
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=True)
    from benchmarks.jacobians import median_ms, recorded_steps
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    start = recorded_steps(name, STEPS)
    times: dict[str, object] = {"task": name, "inputs": len(task.coordinates.input_labels)}
    for batch in BATCHES:
        differentiate = Differentiator(task, method, batch=batch)
        times[f"batch_{batch}_ms"] = median_ms(lambda differentiate=differentiate: differentiate(start), steps=STEPS)
    return times


if __name__ == "__main__":
    method_name, task_name = sys.argv[1:]
    print(json.dumps(_times(JacobianSettings.of_variant(method_name).method, task_name)))
