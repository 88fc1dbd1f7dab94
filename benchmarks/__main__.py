"""Run all benchmarks, print their tables and write them as CSV: `make bench`, or `python -m benchmarks NAME`.

jacobians: time per Jacobian on one pinned core, by every method and by MuJoCo's finite differences.
newcomer: time per Jacobian of plain jax, `jit(vmap(jacfwd))`.
scaling: how the time per Jacobian grows with the number of inputs, and its total over the tasks, from the last run of
    `jacobians` and of `newcomer`, if there is one; draws docs/scaling.svg.
batches: time per Jacobian by the number of steps differentiated side by side.
truth: errors of the methods against central differences of the same step, on all tasks of the suite.
cores: Jacobians per second of two jobs side by side, compared with one.
replay: time of the proof that a step replays, compared with that of its Jacobian.
accelerator: Jacobians per second and training on a GPU if jax has one, otherwise on two cores.
training: an epoch of the paper's MLP, compared with its matrix products; with losses on the Jacobian; two seeds at once.
masks: masked models compared with the plain MLP on systems whose masks are known.
memory: peak memory of every stage by the number of episodes.
resources: memory and time that jobs request from a scheduler, compared with what they used.
scale: the cost of a full study of 54 tasks from measured unit costs, and the time to plan it.
study: the default study and its bounds: times (cold, warm, no work, first figure), processes, disk, models.
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
    """Runs the named benchmarks."""
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
