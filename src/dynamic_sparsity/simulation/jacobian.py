"""The transition Jacobian in tangent coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynamic_sparsity.simulation.constraints import Activity
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition


class Differentiated(NamedTuple):
    """A transition with its derivative."""

    jacobian: Float[Any, "*batch out_dim in_dim"]
    """d next state / d (state, ctrl), qacc_warmstart held fixed at the start of the control step."""
    next_state: NextState
    activity: Activity


def unrolled_jacobian(transition: Transition) -> Callable[[Recorded], Differentiated]:
    """Method `unrolled`: forward-mode differentiation of the step as implemented, solver iterations included.

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


METHODS: dict[str, Callable[[Transition], Callable[[Recorded], Differentiated]]] = {"unrolled": unrolled_jacobian}
"""Ways to differentiate a transition, by the name that config.yaml uses. All give the same arrays."""
