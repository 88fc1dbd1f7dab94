"""Two jobs side by side against one: what pinning is for."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.process import ALL_CORES, result, start

TASK, SECONDS = "WalkerRun", 10.0


def measure() -> list[dict[str, object]]:
    """Jacobians per second of one job with the machine to itself, and of two at once."""
    alone = result(start("cores", TASK, cores=ALL_CORES))["rate"]
    pair = [start("cores", TASK, cores=ALL_CORES) for _ in range(2)]
    rates = [result(process)["rate"] for process in pair]
    return [{"task": TASK, "one_job_per_s": alone, "two_jobs_per_s": sum(rates), "two_over_one": sum(rates) / alone}]


def _rate(name: str) -> float:
    """Whole passes over 192 steps for some seconds, after a start that both jobs of a pair have reached."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=True)
    from tests.helpers.reference import warmed_up

    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    differentiate, states = Differentiator(task, "exact"), warmed_up(task, 192, keep=192)
    differentiate(states)
    time.sleep(5 - time.time() % 5)  # a common start
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        differentiate(states)
        done += len(states.qpos)
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    print(json.dumps({"rate": _rate(sys.argv[1])}))
