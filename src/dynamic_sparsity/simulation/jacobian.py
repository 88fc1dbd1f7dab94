"""The transition Jacobian in tangent coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynamic_sparsity.simulation.constraints import Activity
from dynamic_sparsity.simulation.differences import central_differences
from dynamic_sparsity.simulation.stagewise import iterations as solver_iterations
from dynamic_sparsity.simulation.stagewise.step import StagewiseStep, first_tangents, obstacle
from dynamic_sparsity.simulation.substep import exact_step, implicit_step
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition


class Differentiated(NamedTuple):
    """A transition with its derivative."""

    jacobian: Float[Any, "*batch out_dim in_dim"]
    """d next state / d (state, ctrl), qacc_warmstart held fixed at the start of the control step."""
    next_state: NextState
    activity: Activity
    roughness: Float[Any, "*batch"] | None = None
    """Of central differences: how far those of two widths are apart (`differences`)."""


def jacobian_of(task: Task, method: str) -> Callable[[Recorded], Differentiated]:
    """The Jacobian of a task's control step by the name of the method that config.yaml uses.

    `exact`: of the step as it is implemented, with the solver's solution differentiated in the substeps in which the
    solver converged and its iterations in the others; `unrolled`: with the iterations in all of them; `implicit`:
    with the solution in all of them; `differences`: central differences of the step; `finite`: none, only what the
    constraints do (the derivative is C's, see `finite`). `exact` and `implicit` go stage by stage in closed form
    where `stagewise` knows all that the model has.
    """
    if method == "finite":
        transition = Transition(task)
        return lambda recorded: Differentiated(jnp.zeros((0, 0)), *transition(recorded))
    if method == "differences":
        return lambda recorded: _by_differences(task, recorded)
    if method == "unrolled":
        return transition_jacobian(Transition(task))
    if in_closed_form(task, method):
        return stagewise_jacobian(task, iterations=method == "exact")
    return transition_jacobian(Transition(task, exact_step if method == "exact" else implicit_step))


def _by_differences(task: Task, recorded: Recorded) -> Differentiated:
    jacobian, roughness, after, activity = central_differences(task, recorded)
    return Differentiated(jacobian, after, activity, roughness)


def in_closed_form(task: Task, method: str) -> bool:
    """Whether a method goes stage by stage for this task."""
    solver_obstacle = solver_iterations.obstacle(task.model) if method == "exact" else None
    return method in ("exact", "implicit") and obstacle(task.model) is None and solver_obstacle is None


def transition_jacobian(transition: Transition) -> Callable[[Recorded], Differentiated]:
    """Forward-mode differentiation of a transition.

    Forward mode is the only one: the solver's `while_loop` has no reverse (MJX, "Differentiability").
    The differentiated function maps the input x = (position tangent, qvel, act, ctrl) at x0 to the
    state's tangent at the next state: J = d difference(step(moved(x)), step(x0)) / dx at x0.
    """
    task, coordinates = transition.task, transition.task.coordinates
    nv, na = task.model.nv, task.model.na

    def jacobian(recorded: Recorded) -> Differentiated:
        def step(x: Float[Array, " in_dim"]) -> tuple[Float[Array, " out_dim"], tuple]:
            tangent, qvel, act, ctrl = jnp.split(x, [nv, 2 * nv, 2 * nv + na])
            start = recorded._replace(qpos=coordinates.moved(recorded.qpos, tangent), qvel=qvel, act=act, ctrl=ctrl)
            after, activity = transition(start)
            moved = coordinates.difference(after.qpos, jax.lax.stop_gradient(after.qpos))
            return jnp.concatenate([moved, after.qvel, after.act]), (after, activity)

        here = jnp.concatenate([jnp.zeros_like(recorded.qvel), recorded.qvel, recorded.act, recorded.ctrl])
        matrix, (after, activity) = jax.jacfwd(step, has_aux=True)(here)
        return Differentiated(matrix, after, activity)

    return jacobian


def stagewise_jacobian(task: Task, *, iterations: bool = False) -> Callable[[Recorded], Differentiated]:
    """The same as `transition_jacobian`, substep by substep in closed form (`stagewise`).

    Of `implicit_step`, or with `iterations` of `exact_step`.
    """
    transition, step = Transition(task), StagewiseStep(task, iterations=iterations)

    def jacobian(recorded: Recorded) -> Differentiated:
        first = first_tangents(task.model, recorded.qvel.dtype)
        after, activity, tangents = transition.with_tangents(step, recorded, first)
        matrix = jnp.concatenate([tangents.position, tangents.velocity, tangents.act])
        return Differentiated(matrix, after, activity)

    return jacobian
