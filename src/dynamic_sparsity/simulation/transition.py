"""The transition s' = step(s, a): one control step as a function of recorded variables only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import xarray as xr
from jaxtyping import Float
from mujoco import mjx

from dynamic_sparsity.simulation.constraints import Activity, Constraints
from dynamic_sparsity.simulation.tasks import Task


class Recorded(NamedTuple):
    """The start of a control step: the state, the solver's hidden warm start and the control (numpy or jax arrays)."""

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


def recorded_of(episode: xr.Dataset) -> tuple[Recorded, NextState]:
    """The recorded transitions of one episode of a rollout store, time first."""
    start = Recorded(*(episode[name].values for name in Recorded._fields))
    return start, NextState(*(episode[f"next_{name}"].values for name in NextState._fields))


class Transition:
    """A task's control step as a function of recorded variables: all substeps, with the control held constant."""

    def __init__(self, task: Task, substep: Callable[[mjx.Model, mjx.Data], mjx.Data] = mjx.step) -> None:
        self.task, self._substep = task, substep
        self._constraints = Constraints.of(task.model)
        self._blank = mjx.make_data(task.model, impl="jax")

    def __call__(self, start: Recorded) -> tuple[NextState, Activity]:
        """The next state, and what the constraints did in any substep.

        Only the state and the warm start pass from substep to substep. MJX computes everything else anew, and variables
        that do not pass need no tangents. The warm start does carry tangents between substeps.
        """
        after, activity, _ = self.with_tangents(lambda model, data, _: (self._substep(model, data), None), start, None)
        return after, activity

    def with_tangents(
        self, substep: Callable[[mjx.Model, mjx.Data, Any], tuple[mjx.Data, Any]], start: Recorded, tangents: Any
    ) -> tuple[NextState, Activity, Any]:
        """The control step by a `substep` that also advances tangents; returns the last tangents as well."""
        model = self.task.mjx_model

        def scanned(carry: tuple[Any, ...], _: None) -> tuple[tuple[Any, ...], Activity]:
            (qpos, qvel, act, warmstart), tangents = carry
            data = self._blank.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart, ctrl=start.ctrl)
            data, tangents = substep(model, data, tangents)
            return ((data.qpos, data.qvel, data.act, data.qacc_warmstart), tangents), self._constraints.activity(model, data)

        carry = ((start.qpos, start.qvel, start.act, start.qacc_warmstart), tangents)
        ((qpos, qvel, act, _), tangents), activity = jax.lax.scan(scanned, carry, None, self.task.substeps)
        return NextState(qpos, qvel, act), activity.of_substeps(), tangents
