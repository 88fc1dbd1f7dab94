"""Jacobians per second and training on an accelerator, in large batches; on two CPU cores where jax finds none.

Needs jax's plug-in for the device (`pip install "jax[cuda12]==…"`). Programs compile side by side first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.benchmarks.process import ALL_CORES, result, start

TASKS = ("CheetahRun", "HumanoidWalk")
METHODS = ("exact", "implicit")
STEPS = {"cuda": 8000, "cpu": 960}
TRAINED = ("none", "mae")
"""Losses on the Jacobian beside that on the next state."""


def measure() -> list[dict[str, object]]:
    """A row per task, precision and method: Jacobians per second (median of 5); a row per loss: seconds of an epoch.

    On a CPU two processes of one core each: their Jacobians together, and the epochs of two trainings side by side.
    """
    look = [sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)"]
    found = subprocess.run(look, env={**os.environ, "JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    platform = "cpu" if found.returncode else "cuda"
    device = f"{len(ALL_CORES[:2])} CPU cores, no accelerator found" if found.returncode else found.stdout.strip()
    work = [("jacobians", task, bits, method) for task in TASKS for bits in (32, 64) for method in METHODS]
    work += [("training", loss) for loss in TRAINED]
    if platform == "cuda":
        _compiled(work)
    rows = []
    for each in work:
        cores = [ALL_CORES] if platform == "cuda" else [[core] for core in ALL_CORES[:2]]
        found_by = [result(process) for process in [_started(platform, each, bound) for bound in cores]]
        rates = [found["per_s"] for found in found_by if "per_s" in found]
        seconds = [found["epoch_s"] for found in found_by if "epoch_s" in found]
        row = {"device": device, "what": " ".join(map(str, each))}
        rows.append({**row, "per_s": sum(rates) or None, "epoch_s": max(seconds, default=None)})
        print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    return rows


def _compiled(work: list[tuple]) -> None:
    """Trace and compile everything, a process for each program, so that what is measured loads it."""
    for process in [_started("cuda", each, ALL_CORES, compiled_only=True, number=n) for n, each in enumerate(work)]:
        result(process)


def _started(
    platform: str, what: tuple, cores: list[int], *, compiled_only: bool = False, number: int = 0
) -> subprocess.Popen:
    # Another job for each, so that none waits for the device that the others claim.
    more = {"SLURM_JOB_ID": f"bench{number}", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if compiled_only else {}
    return start("accelerator", int(compiled_only), platform, *what, cores=cores, JAX_PLATFORMS=platform, **more)


def _rate(name: str, bits: int, method: str, steps: int, *, once: bool) -> dict[str, float]:
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1, double_precision=bits == 64, accelerator=True)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded
    from tests.benchmarks.jacobians import median_ms
    from tests.reference import warmed_up

    task = load_task(name)
    few = warmed_up(task, 400, keep=400)
    many = Recorded(*(part.repeat(-(-steps // 400), axis=0)[:steps] for part in few))
    differentiate = Differentiator(task, method)
    if once:
        differentiate(many)
        return {}
    return {"per_s": 1e3 / median_ms(lambda: differentiate(many), steps=steps)}


def _training(loss: str, *, once: bool) -> dict[str, float]:
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1, large_batches=True, accelerator=True)
    from tests.benchmarks.training import epoch, median_s, transitions

    trained = epoch(*transitions(), **({} if loss == "none" else {"jacobian_loss": loss}))
    if once:
        trained()
        return {}
    return {"epoch_s": median_s(trained)}


if __name__ == "__main__":
    once, platform, kind, *what = sys.argv[1:]
    if kind == "training":
        print(json.dumps(_training(what[0], once=once == "1")))
    else:
        print(json.dumps(_rate(what[0], int(what[1]), what[2], STEPS[platform], once=once == "1")))
