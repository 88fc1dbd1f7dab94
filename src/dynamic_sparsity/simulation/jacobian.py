"""The transition Jacobian in tangent coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.constraints import Activity
from dynamic_sparsity.simulation.substep import implicit_step
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition


class Differentiated(NamedTuple):
    """A transition with its derivative."""

    jacobian: Float[Any, "*batch out_dim in_dim"]
    """d next state / d (state, ctrl), qacc_warmstart held fixed at the start of the control step."""
    next_state: NextState
    activity: Activity


SUBSTEPS: dict[str, Callable[[mjx.Model, mjx.Data], mjx.Data]] = {"unrolled": mjx.step, "implicit": implicit_step}
"""What is differentiated, by the name of the method that config.yaml uses.

`unrolled`: the physics step as it is implemented, solver iterations included; `implicit`: with the solver's solution.
"""


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
