"""Time per Jacobian of one control step on one pinned core: this package, plain jax, MuJoCo's finite differences."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import psutil

from benchmarks.process import ALL_CORES, measured, result, start
from benchmarks.truth import EXPERTS, FOLDER
from dynamic_sparsity.settings.jacobians import JacobianSettings, Method

if TYPE_CHECKING:
    from dynamic_sparsity.simulation.transition import Recorded

TASKS = [
    *("BallInCup", "CartpoleBalance", "CheetahRun", "ReacherHard"),
    *("FingerSpin", "FingerTurnEasy", "WalkerRun", "SwimmerSwimmer6"),
    *("HumanoidWalk", "FishSwim", "HopperHop"),
]
STEPS, PLAIN_STEPS = 960, 48
REPEATS, LEAST_SECONDS = 5, 2.0


def measure() -> list[dict[str, object]]:
    """One row per task: milliseconds per Jacobian (median of 5 or more, one pinned core), ratios to `exact` in float64.

    The steps come from rollouts of experts, or of policy `noise` for tasks without one. unconverged: share of steps in
    which the solver stopped before it converged, which `exact` differentiates twice. floor_ms: inputs x substeps x the
    time of one physics step without derivative. first_s: seconds from the start of a second job of the task to its
    first Jacobian.
    """
    rows = []
    for task in TASKS:
        measured("truth", task, policy_of(task))  # records the steps
        exact = measured("jacobians", "exact", task, 64)
        again = measured("jacobians", "exact", task, 64)
        implicit = measured("jacobians", "implicit", task, 64)
        unrolled = measured("jacobians", "unrolled", task, 64)
        c_engine = measured("jacobians", "c", task, 64)
        row = {
            "task": task,
            "policy": policy_of(task),
            "inputs": exact["inputs"],
            "substeps": exact["substeps"],
            "unconverged": exact["unconverged"],
            "exact_float64_ms": again["ms"],
            "implicit_float64_ms": implicit["ms"],
            "exact_float32_ms": measured("jacobians", "exact", task, 32)["ms"],
            "unrolled_float64_ms": unrolled["ms"],
            "floor_ms": exact["inputs"] * measured("jacobians", "step", task, 64)["ms"],
            "c_forward_ms": c_engine["forward"],
            "c_centred_ms": c_engine["centred"],
            "c_centred_over_exact": c_engine["centred"] / again["ms"],
            "unrolled_over_exact": unrolled["ms"] / again["ms"],
            "exact_over_implicit": again["ms"] / implicit["ms"],
            "first_s": again["first_s"],
        }
        print(" ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{value}" for name, value in row.items()))
        rows.append(row)
    return rows


def newcomer() -> list[dict[str, object]]:
    """One row per task: milliseconds per Jacobian of a newcomer's `jit(vmap(jacfwd))`, and its ratio to `exact`.

    It runs without XLA switches, in as many processes as there are cores, none pinned; the time is that of all
    together.
    """
    rows = []
    for task in TASKS:
        measured("truth", task, policy_of(task))
        exact = measured("jacobians", "exact", task, 64)["ms"]
        processes = [start("jacobians", "plain", task, 64, cores=ALL_CORES, XLA_FLAGS="") for _ in ALL_CORES]
        plain = 1 / sum(1 / result(process)["ms"] for process in processes)
        rows.append({"task": task, "plain_cores_ms": plain, "plain_over_exact": plain * len(ALL_CORES) / exact})
        print(rows[-1])
    return rows


def policy_of(task: str) -> str:
    """The policy whose steps are differentiated."""
    return "expert" if task in EXPERTS else "noise"


def recorded_steps(task: str, count: int = STEPS) -> Recorded:
    """Evenly spaced steps of the rollouts that `truth` recorded."""
    from dynamic_sparsity.simulation.transition import Recorded

    with np.load(FOLDER / f"{task}-{policy_of(task)}.npz") as arrays:
        chosen = np.linspace(0, len(arrays["qpos"]) - 1, count).astype(int)
        return Recorded(*(arrays[field][chosen].astype(float) for field in Recorded._fields))


def median_ms(function: Callable[[], object], repeats: int = REPEATS, steps: int = STEPS) -> float:
    """Median milliseconds per step over `repeats` calls, or more until two seconds pass; a first call warms up."""
    function()
    times: list[float] = []
    while len(times) < repeats or sum(times) < LEAST_SECONDS:
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times) / steps * 1e3


def _method(name: str, method: Method, bits: int) -> dict[str, object]:
    """A method of this package."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=bits == 64)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    start = recorded_steps(name)
    differentiate = Differentiator(task, method)
    activity = differentiate(start).activity
    first = time.time() - psutil.Process().create_time()
    sizes = {"inputs": len(task.coordinates.input_labels), "substeps": task.substeps}
    sizes["unconverged"] = float(1 - activity.converged.mean())
    return {"ms": median_ms(lambda: differentiate(start)), "first_s": first, **sizes}


def _step(name: str) -> dict[str, object]:
    """The control step without its derivative, in batches."""
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, double_precision=True)
    import jax

    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.transition import Recorded, Transition

    task = load_task(name)
    batches = Recorded(*(part.reshape(STEPS // 48, 48, part.shape[1]) for part in recorded_steps(name)))
    step = jax.jit(lambda recorded: jax.lax.map(jax.vmap(Transition(task)), recorded))
    return {"ms": median_ms(lambda: jax.block_until_ready(step(batches)))}


def _plain(name: str) -> dict[str, object]:
    """`jit(vmap(jacfwd))` of Playground's own step, with jax as it comes."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from mujoco import mjx
    from mujoco_playground._src import mjx_env

    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    model, blank = task.model, mjx.make_data(task.model, impl="jax")
    integers = ("ten_wrapadr", "ten_wrapnum", "wrap_obj")  # MJX returns them as int64, which would break the scan
    blank = blank.tree_replace({f"_impl.{field}": getattr(blank._impl, field).astype("int64") for field in integers})
    splits = [model.nq, model.nq + model.nv, model.nq + model.nv + model.na]

    def step(x: jax.Array, warmstart: jax.Array) -> jax.Array:
        qpos, qvel, act, ctrl = jnp.split(x, splits)
        data = blank.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart, ctrl=ctrl)
        data = mjx_env.step(task.mjx_model, data, ctrl, task.substeps)
        return jnp.concatenate([data.qpos, data.qvel, data.act])

    start = recorded_steps(name, PLAIN_STEPS)
    x = jnp.concatenate([start.qpos, start.qvel, start.act, start.ctrl], axis=1)
    jacobian = jax.jit(jax.vmap(jax.jacfwd(step)))
    return {"ms": median_ms(lambda: jax.block_until_ready(jacobian(x, start.qacc_warmstart)), steps=PLAIN_STEPS)}


def _c_engine(name: str) -> dict[str, object]:
    from dynamic_sparsity.simulation.finite import FiniteDifferences
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(name)
    states = recorded_steps(name)
    forward, centred = (FiniteDifferences(task, centred=centred) for centred in (False, True))
    return {"forward": median_ms(lambda: forward(states)), "centred": median_ms(lambda: centred(states))}


if __name__ == "__main__":
    way, task_name, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
    references = {"plain": _plain, "c": _c_engine, "step": _step}
    if way in references:
        print(json.dumps(references[way](task_name)))
    else:
        print(json.dumps(_method(task_name, JacobianSettings.of_variant(way).method, width)))
