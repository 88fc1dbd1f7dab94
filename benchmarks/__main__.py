"""Run all benchmarks, print their tables and write them as CSV: `make bench`, or `python -m benchmarks NAME`.

jacobians: time per Jacobian of one pinned core, beside other methods and MuJoCo's finite differences.
newcomer: the same of plain jax, `jit(vmap(jacfwd))`.
scaling: how the time per Jacobian grows with the number of inputs, and its total over the tasks, from the last run of
    `jacobians`, and of `newcomer` if there is one; draws docs/scaling.svg.
batches: time per Jacobian against the number of steps differentiated side by side.
truth: how far the methods are from central differences of the same step, on all tasks of the suite.
cores: Jacobians per second of two jobs side by side against one.
replay: time of the proof that a step replays, beside that of its Jacobian.
accelerator: Jacobians per second and training on a GPU, where jax has one, else on two cores.
training: an epoch of the paper's MLP against its matrix products, with losses on the Jacobian, and two seeds at once.
masks: masked models beside the plain MLP on systems whose masks are known.
memory: peak memory of the jacobians stage against the number of episodes.
resources: memory and time that jobs ask a scheduler for beside what they used.
scale: what a full study of 54 tasks costs, from measured unit costs, and how long it takes to plan one.
study: the default study beside its bounds: times (cold, warm, nothing to do, first figure), processes, disk, models.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks import (
    accelerator,
    batches,
    cores,
    jacobians,
    masks,
    memory,
    replay,
    resources,
    scale,
    scaling,
    study,
    training,
    truth,
)

BENCHMARKS = {
    "jacobians": jacobians.measure,
    "newcomer": jacobians.newcomer,
    "scaling": scaling.measure,
    "batches": batches.measure,
    "truth": truth.measure,
    "cores": cores.measure,
    "replay": replay.measure,
    "accelerator": accelerator.measure,
    "training": training.measure,
    "masks": masks.measure,
    "memory": memory.measure,
    "resources": resources.measure,
    "scale": scale.measure,
    "study": study.measure,
}
RESULTS = Path("results/bench")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHMARKS)}; default: all")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"unknown benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        table = pd.DataFrame(BENCHMARKS[name]())
        table.to_csv(RESULTS / f"{name}.csv", index=False)
        print(f"\n{name} ({RESULTS / name}.csv)\n{table.to_string(index=False, float_format='{:.3g}'.format)}", flush=True)


if __name__ == "__main__":
    main()
