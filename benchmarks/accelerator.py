"""Jacobians per second and training on an accelerator, in large batches, or on two CPU cores if jax finds none.

It needs jax's plug-in for the device (`pip install "jax[cuda12]==…"`). All programs compile first, side by side.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

from benchmarks.process import ALL_CORES, result, start
from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.settings.jacobians import JacobianSettings, Method

TASKS = ("CheetahRun", "HumanoidWalk")
METHODS = ("exact", "implicit")
STEPS = {"cuda": 8000, "cpu": 960}
TRAINED = ("none", "mae")
"""Losses on the Jacobian, added to the loss on the next state."""


def measure() -> list[dict[str, object]]:
    """A row per task, precision and method: Jacobians per second (median of 5). A row per loss: seconds of an epoch.

    On a CPU there are two processes of one core each: the sum of their Jacobians, and the slower of two trainings.
    """
    probe = [sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)"]
    probed = subprocess.run(probe, env={**os.environ, "JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    platform = "cpu" if probed.returncode else "cuda"
    device = f"{len(ALL_CORES[:2])} CPU cores, no accelerator found" if probed.returncode else probed.stdout.strip()
    if platform == "cuda":
        _compile_all()
    rows = []
    for program in [*(("jacobians", task, bits) for task in TASKS for bits in (32, 64)), ("training",)]:
        cores = [ALL_CORES] if platform == "cuda" else [[core] for core in ALL_CORES[:2]]
        measured = [
            result(process) for process in [_started("measure", platform, *program, cores=core_list) for core_list in cores]
        ]
        for name in measured[0]:
            values = [by_process[name] for by_process in measured]
            row: dict[str, object] = {"device": device, "what": " ".join(map(str, (*program, name)))}
            trained = program == ("training",)
            row |= {"per_s": None if trained else sum(values), "epoch_s": max(values) if trained else None}
            rows.append(row)
            print(" ".join(f"{column}={value}" for column, value in row.items()), flush=True)
    return rows


def _compile_all() -> None:
    """Traces and compiles every program in a process of its own, so that the measurements only load them."""
    programs = [("jacobians", task, bits, method) for task in TASKS for bits in (32, 64) for method in METHODS]
    jobs = []
    for number, program in enumerate([*programs, ("training",)]):
        # Each process has a Slurm job id of its own, so that none waits for the device that another claims.
        more = {"SLURM_JOB_ID": f"bench{number}", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        jobs.append(_started("compile", "cuda", *program, cores=ALL_CORES, **more))
    for job in jobs:
        result(job)


def _started(purpose: str, platform: str, *program: object, cores: list[int], **more: str) -> subprocess.Popen[str]:
    return start("accelerator", purpose, platform, *program, cores=cores, JAX_PLATFORMS=platform, **more)


def _compiled(name: str, bits: int, method: Method) -> None:
    """Compiles one program of a task. `exact` has two: its own, and that of `implicit`, compiled by another process."""
    configure_jax(threads=1, double_precision=bits == 64, accelerator=True)
    from dynamic_sparsity.simulation.differentiate import Program
    from dynamic_sparsity.simulation.tasks import load_task

    Program(load_task(name), method, "playground")


def _rates(name: str, bits: int, steps: int) -> dict[str, float]:
    """Jacobians per second by method."""
    configure_jax(threads=1, double_precision=bits == 64, accelerator=True)
    from tests.helpers.reference import warmed_up

    from benchmarks.jacobians import median_ms
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded

    task = load_task(name)
    recorded = warmed_up(task, 400, keep=400)
    repeated = Recorded(*(part.repeat(-(-steps // 400), axis=0)[:steps] for part in recorded))
    calls = {method: functools.partial(Differentiator(task, method), repeated) for method in METHODS}
    return {method: 1e3 / median_ms(call, steps=steps) for method, call in calls.items()}


def _epochs(*, once: bool) -> dict[str, float]:
    """Seconds of an epoch by the loss on the Jacobian; with `once`, runs one epoch per loss and measures nothing."""
    configure_jax(threads=1, large_batches=True, accelerator=True)
    from benchmarks.training import epoch, median_s, transitions

    data = transitions()
    seconds = {}
    for loss in TRAINED:
        trained = epoch(*data, **({} if loss == "none" else {"jacobian_loss": loss}))
        trained()
        if not once:
            seconds[loss] = median_s(trained)
    return seconds


if __name__ == "__main__":
    purpose, platform, kind, *program = sys.argv[1:]
    if kind == "training":
        print(json.dumps(_epochs(once=purpose == "compile")))
    elif purpose == "compile":
        _compiled(program[0], int(program[1]), JacobianSettings.of_variant(program[2]).method)
        print(json.dumps({}))
    else:
        print(json.dumps(_rates(program[0], int(program[1]), STEPS[platform])))
