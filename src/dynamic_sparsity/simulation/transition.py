"""The transition s' = step(s, a): one control step, from recorded variables alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Float
from mujoco import mjx

from dynamic_sparsity.simulation.constraints import Activity, Constraints
from dynamic_sparsity.simulation.tasks import Task


class Recorded(NamedTuple):
    """What a control step starts from: the state, the solver's hidden warm start, and the control (numpy or jax)."""

    qpos: Float[Any, "*batch nq"]
    qvel: Float[Any, "*batch nv"]
    act: Float[Any, "*batch na"]
    qacc_warmstart: Float[Any, "*batch nv"]
    ctrl: Float[Any, "*batch nu"]


class NextState(NamedTuple):
    """The state after a control step."""

    qpos: Float[Any, "*batch nq"]
    qvel: Float[Any, "*batch nv"]
    act: Float[Any, "*batch na"]


class Transition:
    """The control step of a task as a function of recorded variables: all substeps, control held."""

    def __init__(self, task: Task, substep: Callable[[mjx.Model, mjx.Data], mjx.Data] = mjx.step) -> None:
        self.task, self._substep = task, substep
        self.constraints = Constraints.of(task.model)
        self._blank = mjx.make_data(task.model, impl="jax")

    def __call__(self, start: Recorded) -> tuple[NextState, Activity]:
        """The next state, and what the constraints did in any substep.

        Only the state and the warm start are carried from substep to substep: MJX computes all else anew,
        and what is not carried costs no tangents (DESIGN: the warm start carries tangents in between).
        """
        model = self.task.mjx_model

        def substep(carry: tuple, _: None) -> tuple[tuple, Activity]:
            qpos, qvel, act, warmstart = carry
            data = self._blank.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart, ctrl=start.ctrl)
            data = self._substep(model, data)
            return (data.qpos, data.qvel, data.act, data.qacc_warmstart), self.constraints.activity(model, data)

        carry = (start.qpos, start.qvel, start.act, start.qacc_warmstart)
        (qpos, qvel, act, _), activity = jax.lax.scan(substep, carry, None, self.task.substeps)
        return NextState(qpos, qvel, act), activity.any()
