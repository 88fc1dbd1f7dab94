"""References for Jacobians: MuJoCo's C engine, and central differences of this package's step."""

from __future__ import annotations

import mujoco
import numpy as np

from dynamic_sparsity.simulation.finite import FiniteDifferences
from dynamic_sparsity.simulation.transition import Recorded


def warmed_up(task, steps, seed=0, keep=6, scale=0.7):
    """The last `keep` of `steps` control steps of a rollout of the C engine, as `Recorded` (time first).

    The rollout starts at random velocities and has smooth random controls.
    """
    rng = np.random.default_rng(seed)
    model, data = task.model, mujoco.MjData(task.model)
    mujoco.mj_resetData(model, data)
    data.qvel[:] = 0.5 * rng.normal(size=model.nv)
    ctrl = np.zeros(model.nu)
    records = []
    for step in range(steps):
        ctrl = np.clip(0.7 * ctrl + scale * rng.normal(size=model.nu), -0.99, 0.99)
        data.ctrl[:] = ctrl
        if step >= steps - keep:
            records.append([data.qpos.copy(), data.qvel.copy(), data.act.copy(), data.qacc_warmstart.copy(), ctrl.copy()])
        for _ in range(task.substeps):
            mujoco.mj_step(model, data)
    return Recorded(*(np.stack(column) for column in zip(*records, strict=True)))


def set_state(data, qpos, qvel, act, warmstart, ctrl):
    """Sets the C engine's data to the start of one recorded step."""
    data.qpos[:], data.qvel[:], data.act[:] = qpos, qvel, act
    data.qacc_warmstart[:], data.ctrl[:] = warmstart, ctrl


def chained_transition_fd(task, step):
    """The Jacobian of one control step from MuJoCo's finite differences."""
    return FiniteDifferences(task)(Recorded(*(np.asarray(part)[None] for part in step)))[0][0]


def moved(model, step, column, eps):
    """`step` with input number `column` changed by `eps`; a position moves along its tangent."""
    qpos, qvel, act, warmstart, ctrl = (array.copy() for array in step)
    nv, na = model.nv, model.na
    if column < nv:
        tangent = np.zeros(nv)
        tangent[column] = 1.0
        mujoco.mj_integratePos(model, qpos, tangent, eps)
    elif column < 2 * nv:
        qvel[column - nv] += eps
    elif column < 2 * nv + na:
        act[column - 2 * nv] += eps
    else:
        ctrl[column - 2 * nv - na] += eps
    return qpos, qvel, act, warmstart, ctrl


def central_differences(task, step, replay, eps=1e-6):
    """The Jacobian of `replay` (a step in float64: Recorded -> next state, time first) by central differences."""
    model = task.model
    inputs = 2 * model.nv + model.na + model.nu
    sides = [[moved(model, step, column, sign * eps) for column in range(inputs)] for sign in (1, -1)]
    rows = [Recorded(*(np.stack(parts) for parts in zip(*side, strict=True))) for side in sides]
    after = [replay(row) for row in rows]
    columns = []
    for column in range(inputs):
        tangent = np.zeros(model.nv)
        mujoco.mj_differentiatePos(model, tangent, 2 * eps, after[1].qpos[column], after[0].qpos[column])
        velocity = (after[0].qvel[column] - after[1].qvel[column]) / (2 * eps)
        activation = (after[0].act[column] - after[1].act[column]) / (2 * eps)
        columns.append(np.concatenate([tangent, velocity, activation]))
    return np.stack(columns, axis=1)
