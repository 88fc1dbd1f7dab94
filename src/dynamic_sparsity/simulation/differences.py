"""Method `differences`: central differences of MJX's own control step at two widths, the reference for every method.

They use the step alone and no derivative of any part of it. Where the two widths agree, they give the derivative of the
step as implemented, up to rounding. Where they disagree, the step is rough: within the wider width it has a kink or
bends so much that a derivative says little.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynamic_sparsity.simulation.constraints import Activity
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition

WIDTHS = (1e-6, 1e-5)
"""Distances to each side. In float64 the narrower errs by about 1e-10 of values (rounding) and 1e-12 of third
derivatives."""


def central_differences(task: Task, recorded: Recorded) -> tuple[jax.Array, jax.Array, NextState, Activity]:
    """Differentiates one recorded step by central differences.

    Returns the Jacobian [out_dim, in_dim] of the first width, the roughness, the next state and the constraint
    activity. The roughness is the largest difference of an entry between the two widths, divided by the largest
    |entry|.
    """
    coordinates, transition = task.coordinates, Transition(task)
    nv, na, size = task.model.nv, task.model.na, len(task.coordinates.input_labels)

    def moved(offset: Float[Array, " in_dim"]) -> Recorded:
        tangent, qvel, act, ctrl = jnp.split(offset, [nv, 2 * nv, 2 * nv + na])
        return recorded._replace(
            qpos=coordinates.moved(recorded.qpos, tangent),
            qvel=recorded.qvel + qvel,
            act=recorded.act + act,
            ctrl=recorded.ctrl + ctrl,
        )

    # One batch holds the step itself, then each width to both sides of each input.
    sides = np.concatenate([np.zeros((1, size)), *(side * width * np.eye(size) for width in WIDTHS for side in (1, -1))])
    next_states, activity = jax.vmap(lambda x: transition(moved(x)))(jnp.asarray(sides))
    centre, activity = jax.tree.map(lambda part: part[0], (next_states, activity))

    def state(end: NextState) -> Float[Array, " out_dim"]:
        return jnp.concatenate([coordinates.difference(end.qpos, centre.qpos), end.qvel, end.act])

    above, below = jnp.moveaxis(jax.vmap(state)(next_states)[1:].reshape(len(WIDTHS), 2, size, -1), 1, 0)
    narrow, wide = jnp.moveaxis(above - below, -1, -2) / (2 * jnp.asarray(WIDTHS)[:, None, None])
    largest = jnp.abs(narrow).max()
    return narrow, jnp.abs(narrow - wide).max() / largest, centre, activity
