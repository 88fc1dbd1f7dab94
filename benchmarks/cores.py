"""Two jobs side by side compared with one, to show the effect of pinning."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.process import ALL_CORES, result, start

TASK, SECONDS = "WalkerRun", 10.0


def measure() -> list[dict[str, object]]:
    """Jacobians per second of one job that has the machine to itself, and of two jobs at once."""
    alone = result(start("cores", TASK, cores=ALL_CORES))["rate"]
    pair = [start("cores", TASK, cores=ALL_CORES) for _ in range(2)]
    rates = [result(process)["rate"] for process in pair]
    return [{"task": TASK, "one_job_per_s": alone, "two_jobs_per_s": sum(rates), "two_over_one": sum(rates) / alone}]


def _rate(name: str) -> float:
    """Jacobians per second over whole passes of 192 steps; both jobs of a pair start at the same time."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=True)
    from tests.helpers.reference import warmed_up

    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    differentiate, states = Differentiator(task, "exact"), warmed_up(task, 192, keep=192)
    differentiate(states)
    time.sleep(5 - time.time() % 5)  # a common start
    started, jacobians = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        differentiate(states)
        jacobians += len(states.qpos)
    return jacobians / (time.perf_counter() - started)


if __name__ == "__main__":
    print(json.dumps({"rate": _rate(sys.argv[1])}))
