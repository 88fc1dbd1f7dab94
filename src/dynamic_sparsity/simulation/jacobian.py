"""The transition Jacobian in tangent coordinates, by every method."""

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
    """A transition and its derivative."""

    jacobian: Float[Any, "*batch out_dim in_dim"]
    """d next state / d (state, ctrl), with qacc_warmstart held fixed at the start of the control step."""
    next_state: NextState
    activity: Activity
    roughness: Float[Any, "*batch"] | None = None
    """Method `differences` only: how far central differences of two widths are apart."""


def jacobian_of(task: Task, method: str) -> Callable[[Recorded], Differentiated]:
    """The function that differentiates a task's control step; `method` is the name that config.yaml uses.

    - `exact`: the derivative of the step as implemented. Substeps in which the constraint solver converged
      differentiate its solution, the others its iterations;
    - `unrolled`: all substeps differentiate the iterations;
    - `implicit`: all substeps differentiate the solution;
    - `differences`: central differences of the step;
    - `finite`: constraint activity and next state only; MuJoCo's C engine gives the derivative (module `finite`).

    `exact` and `implicit` are computed stage by stage in closed form where `stagewise` supports all parts of the model.
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
    """Whether `method` is computed stage by stage in closed form (`stagewise`) for this task."""
    solver_obstacle = solver_iterations.obstacle(task.model) if method == "exact" else None
    return method in ("exact", "implicit") and obstacle(task.model) is None and solver_obstacle is None


def transition_jacobian(transition: Transition) -> Callable[[Recorded], Differentiated]:
    """The Jacobian of a transition by forward-mode differentiation.

    Only forward mode works: the solver's `while_loop` has no reverse mode (MJX, "Differentiability"). The
    differentiated function maps the input x = (position tangent, qvel, act, ctrl) to the tangent at the next state of
    x0: J = d difference(step(moved(x)), step(x0)) / dx at x0.
    """
    task, coordinates = transition.task, transition.task.coordinates
    nv, na = task.model.nv, task.model.na

    def jacobian(recorded: Recorded) -> Differentiated:
        def step(x: Float[Array, " in_dim"]) -> tuple[Float[Array, " out_dim"], tuple[Any, ...]]:
            tangent, qvel, act, ctrl = jnp.split(x, [nv, 2 * nv, 2 * nv + na])
            start = recorded._replace(qpos=coordinates.moved(recorded.qpos, tangent), qvel=qvel, act=act, ctrl=ctrl)
            after, activity = transition(start)
            moved = coordinates.difference(after.qpos, jax.lax.stop_gradient(after.qpos))
            return jnp.concatenate([moved, after.qvel, after.act]), (after, activity)

        origin = jnp.concatenate([jnp.zeros_like(recorded.qvel), recorded.qvel, recorded.act, recorded.ctrl])
        matrix, (after, activity) = jax.jacfwd(step, has_aux=True)(origin)
        return Differentiated(matrix, after, activity)

    return jacobian


def stagewise_jacobian(task: Task, *, iterations: bool = False) -> Callable[[Recorded], Differentiated]:
    """The derivative of `transition_jacobian`, substep by substep in closed form (`stagewise`).

    It differentiates `implicit_step`, or `exact_step` if `iterations` is true.
    """
    transition, step = Transition(task), StagewiseStep(task, iterations=iterations)

    def jacobian(recorded: Recorded) -> Differentiated:
        first = first_tangents(task.model, recorded.qvel.dtype)
        after, activity, tangents = transition.with_tangents(step, recorded, first)
        matrix = jnp.concatenate([tangents.position, tangents.velocity, tangents.act])
        return Differentiated(matrix, after, activity)

    return jacobian
