"""Jacobians per second on an accelerator, in large batches; needs jax's plug-in for it (`pip install "jax[cuda12]==…"`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.benchmarks.process import ALL_CORES, result, start

TASKS = ("CheetahRun", "WalkerRun", "HumanoidWalk")
STEPS = 8000


def measure() -> list[dict[str, object]]:
    """One row per task and precision: Jacobians per second (median of 5), method `exact`; none without a device."""
    look = [sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)"]
    found = subprocess.run(look, env={**os.environ, "JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    if found.returncode:
        print("accelerator: jax finds none here")
        return []
    rows = []
    for task in TASKS:
        for bits in (32, 64):
            rate = result(start("accelerator", task, bits, cores=ALL_CORES, JAX_PLATFORMS="cuda"))
            rows.append({"device": found.stdout.strip(), "task": task, "precision": f"float{bits}", **rate})
            print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    return rows


def _rate(name: str, bits: int) -> dict[str, float]:
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1, double_precision=bits == 64, accelerator=True)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded
    from tests.benchmarks.jacobians import median_ms
    from tests.reference import warmed_up

    task = load_task(name)
    few = warmed_up(task, 400, keep=400)
    many = Recorded(*(part.repeat(STEPS // 400, axis=0) for part in few))
    differentiate = Differentiator(task, "exact")
    return {"per_s": 1e3 / median_ms(lambda: differentiate(many), steps=STEPS)}


if __name__ == "__main__":
    print(json.dumps(_rate(sys.argv[1], int(sys.argv[2]))))
