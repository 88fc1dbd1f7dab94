"""Time of the proof that recorded steps replay, compared with that of their Jacobians, on one pinned core."""

from __future__ import annotations

import json
import sys

from benchmarks.jacobians import median_ms
from benchmarks.process import measured

TASKS = ["CartpoleBalance", "WalkerRun", "HumanoidWalk"]
STEPS, REPEATS = 1000, 3


def measure() -> list[dict[str, object]]:
    """One row per task: milliseconds per step of one episode under policy `noise` (median of 3).

    replay_ms: to repeat every step once; proof_ms: with the perturbed replays of steps beyond the tolerance (their
    share: perturbed); jacobian_ms: `exact`, float64.
    """
    return [{"task": task, **measured("replay", task)} for task in TASKS]


def _times(name: str) -> dict[str, float]:
    from dynamic_sparsity.runtime.jax_setup import configure_jax, in_precision

    configure_jax(threads=1, double_precision=True)
    import numpy as np

    from dynamic_sparsity.settings.policies import PolicySettings
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.policies import make_policy
    from dynamic_sparsity.simulation.replay import TOLERANCE, Replayer, outside
    from dynamic_sparsity.simulation.rollout import Roller
    from dynamic_sparsity.simulation.tasks import load_task

    with in_precision(double=False):
        roller = Roller(load_task(name), make_policy("noise", PolicySettings.model_validate({"noise": {}})))
        episode = roller.episode(0, 0, STEPS).trimmed()
    replayer, differentiate = Replayer(name), Differentiator(load_task(name), "exact")
    start, after = episode.start, episode.next_state
    beyond_tolerance = np.logical_or.reduce([part.any(-1) for part in outside(replayer(start), after, TOLERANCE)])
    replay, proof, jacobian = (
        median_ms(function, REPEATS, episode.length)
        for function in (lambda: replayer(start), lambda: replayer.prove(start, after, 0), lambda: differentiate(start))
    )
    row = {"replay_ms": replay, "proof_ms": proof, "jacobian_ms": jacobian}
    return {**row, "proof_over_jacobian": proof / jacobian, "perturbed": float(beyond_tolerance.mean())}


if __name__ == "__main__":
    print(json.dumps(_times(sys.argv[1])))
