"""Time per Jacobian of one control step on one pinned core: ours, plain jax, and MuJoCo's finite differences."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from tests.benchmarks.process import measured

TASKS = [
    *("BallInCup", "CartpoleBalance", "CheetahRun", "ReacherHard"),
    *("FingerSpin", "FingerTurnEasy", "WalkerRun", "SwimmerSwimmer6"),
]
# What a prototype took before this project (float32, unrolled, one pinned core, ms), for the tasks that were measured.
PROTOTYPE_MS = {"CheetahRun": 0.605, "WalkerRun": 2.4, "FingerSpin": 0.27, "SwimmerSwimmer6": 2.1}
STEPS = 192
REPEATS = 5


def measure() -> list[dict[str, object]]:
    """One row per task: milliseconds per Jacobian (median of 5), and ratios to ours in float64."""
    rows = []
    for task in TASKS:
        ours64, ours32 = (measured("jacobians", "ours", task, bits) for bits in (64, 32))
        plain = measured("jacobians", "plain", task, 64, XLA_FLAGS="")
        c_engine = measured("jacobians", "c", task, 64)
        row = {
            "task": task,
            "inputs": ours64["inputs"],
            "substeps": ours64["substeps"],
            "ours_float64_ms": ours64["ms"],
            "ours_float32_ms": ours32["ms"],
            "prototype_float32_ms": PROTOTYPE_MS.get(task, float("nan")),
            "plain_vmap_jacfwd_ms": plain["ms"],
            "c_forward_ms": c_engine["forward"],
            "c_centred_ms": c_engine["centred"],
            "plain_over_ours": plain["ms"] / ours64["ms"],
            "ours_over_c_centred": ours64["ms"] / c_engine["centred"],
        }
        print(" ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{value}" for name, value in row.items()))
        rows.append(row)
    return rows


def median_ms(function: Callable[[], object], repeats: int = REPEATS, steps: int = STEPS) -> float:
    """Median over repeats, per step, in milliseconds; the first call warms up."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append((time.perf_counter() - started) / steps * 1e3)
    return sorted(times)[repeats // 2]


def _ours(name: str, bits: int) -> dict[str, object]:
    from dynamic_sparsity import runtime

    runtime.configure_jax(threads=1, double_precision=bits == 64)
    from dynamic_sparsity.simulation.differentiate import Differentiator
    from dynamic_sparsity.simulation.tasks import load_task
    from tests.reference import warmed_up

    task = load_task(name)
    differentiate = Differentiator(task, "unrolled")
    start = warmed_up(task, STEPS, keep=STEPS)
    sizes = {"inputs": len(task.coordinates.input_labels), "substeps": task.substeps}
    return {"ms": median_ms(lambda: differentiate(start)), **sizes}


def _plain(name: str) -> dict[str, object]:
    """`jit(vmap(jacfwd))` of Playground's own step, with jax as it comes."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from mujoco import mjx
    from mujoco_playground._src import mjx_env

    from dynamic_sparsity.simulation.tasks import load_task
    from tests.reference import warmed_up

    task = load_task(name)
    model, blank = task.model, mjx.make_data(task.model, impl="jax")
    integers = ("ten_wrapadr", "ten_wrapnum", "wrap_obj")  # come back as int64 and break the scan otherwise
    blank = blank.tree_replace({f"_impl.{field}": getattr(blank._impl, field).astype("int64") for field in integers})
    splits = [model.nq, model.nq + model.nv, model.nq + model.nv + model.na]

    def step(x: jax.Array, warmstart: jax.Array) -> jax.Array:
        qpos, qvel, act, ctrl = jnp.split(x, splits)
        data = blank.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart, ctrl=ctrl)
        data = mjx_env.step(task.mjx_model, data, ctrl, task.substeps)
        return jnp.concatenate([data.qpos, data.qvel, data.act])

    start = warmed_up(task, STEPS, keep=STEPS)
    x = jnp.concatenate([start.qpos, start.qvel, start.act, start.ctrl], axis=1)
    jacobian = jax.jit(jax.vmap(jax.jacfwd(step)))
    return {"ms": median_ms(lambda: jax.block_until_ready(jacobian(x, start.qacc_warmstart)), repeats=3)}


def _c_engine(name: str) -> dict[str, object]:
    import mujoco

    from dynamic_sparsity.simulation.tasks import load_task
    from tests.reference import chained_transition_fd, warmed_up

    task = load_task(name)
    steps = list(zip(*warmed_up(task, STEPS, keep=STEPS), strict=True))
    data = mujoco.MjData(task.model)

    def differences(*, centred: bool) -> list:
        return [chained_transition_fd(task, step, centred=centred, data=data) for step in steps]

    return {
        "forward": median_ms(lambda: differences(centred=False)),
        "centred": median_ms(lambda: differences(centred=True)),
    }


if __name__ == "__main__":
    way, task_name, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
    measurements = {"ours": lambda: _ours(task_name, width), "plain": lambda: _plain(task_name)}
    print(json.dumps(measurements.get(way, lambda: _c_engine(task_name))()))
