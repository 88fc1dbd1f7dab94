"""Method `finite`: finite differences of MuJoCo's C engine by MuJoCo itself, chained over a control step's substeps."""

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Float

from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import NextState, Recorded

EPSILON = 1e-6
"""The differences' step, as in MuJoCo's own examples; its error is about 1e-10 of third derivatives."""
_BAD = mujoco.mjtWarning
_RESETS = [int(bad) for bad in (_BAD.mjWARN_BADQPOS, _BAD.mjWARN_BADQVEL, _BAD.mjWARN_BADQACC, _BAD.mjWARN_BADCTRL)]


class FiniteDifferences:
    """Jacobians of recorded steps by `mjd_transitionFD`, in double precision."""

    def __init__(self, task: Task, *, centred: bool = True) -> None:
        self._model, self._substeps, self._centred = task.model, task.substeps, centred
        self._data = mujoco.MjData(task.model)  # making one takes as long as differentiating a small model

    def __call__(self, start: Recorded) -> tuple[Float[np.ndarray, "time out_dim in_dim"], NextState]:
        """Jacobians and the C engine's next states of the steps in `start` (time first).

        NaN for a step in which the C engine meets a number that is not finite or far too large, since it then resets to
        the model's initial state or ignores the control.
        """
        results = [self._differentiated(*(part[step] for part in start)) for step in range(len(start.qpos))]
        jacobians, *after = (np.stack(parts) for parts in zip(*results, strict=True))
        return jacobians, NextState(*after)

    def _differentiated(
        self, qpos: np.ndarray, qvel: np.ndarray, act: np.ndarray, warmstart: np.ndarray, ctrl: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Jacobian and next state of one control step."""
        model, data = self._model, self._data
        data.qpos[:], data.qvel[:], data.act[:] = qpos, qvel, act
        data.qacc_warmstart[:], data.ctrl[:] = warmstart, ctrl
        size = 2 * model.nv + model.na
        data.warning.number[:] = 0
        state, control = np.eye(size), np.zeros((size, model.nu))
        by_state, by_control = np.zeros((size, size)), np.zeros((size, model.nu))
        for _ in range(self._substeps):
            mujoco.mjd_transitionFD(model, data, EPSILON, self._centred, by_state, by_control, None, None)
            state, control = by_state @ state, by_state @ control + by_control
            mujoco.mj_step(model, data)
        parts = (np.concatenate([state, control], axis=1), data.qpos.copy(), data.qvel.copy(), data.act.copy())
        return tuple(np.full_like(part, np.nan) for part in parts) if data.warning.number[_RESETS].any() else parts
