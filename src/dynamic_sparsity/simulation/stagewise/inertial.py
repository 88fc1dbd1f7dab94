"""Closed-form derivatives of inverse dynamics.

Inverse dynamics gives the generalised force of an acceleration, tau_k = S_k . sum of f_b over the bodies b that dof k
moves, with f_b = I_b a_b + v_b x* I_b v_b - w_b(v_b), where w is the wrench of the fluid. When dof i moves, all that it
carries turns with it, and that rotation changes no scalar product. The remaining terms are (Carpentier & Mansard 2018,
"Analytical derivatives of rigid body dynamics algorithms"; Singh, Russell & Wensing 2022, arXiv 2105.05102)

    d f_b / d q_i  - S_i x* f_b = I_b P2_i + C_b P1_i,      d f_b / d qdot_i = I_b (P1_i + Sdot_i) + C_b S_i,

    P1_i = v x S_i,  P2_i = a x S_i + v x P1_i   with v and a of the body that carries dof i,
    C_b m = m x* I_b v_b + v_b x* I_b m - I_b (v_b x m) - w'_b m.

I and C are summed once over the bodies that a dof moves, and not once per pair of dofs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import DisableBit, passive
from dynamic_sparsity.simulation.stagewise import spatial
from dynamic_sparsity.simulation.stagewise.tree import Tree


class Bodies(NamedTuple):
    """Motion and inertia about one fixed point, for all kinematic trees of a model."""

    point: Float[Array, " 3"]
    axes: Float[Array, "6 nv"]
    """S: the motion of each dof at unit velocity."""
    inertia: Float[Array, "10 nbody"]
    composite: Float[Array, "10 nv"]
    """Inertia of all bodies that a dof moves."""


class InverseDynamics(NamedTuple):
    """Derivatives of the generalised force of inverse dynamics at a fixed acceleration."""

    by_position: Float[Array, "nv nv"]
    by_velocity: Float[Array, "nv nv"]


def bodies(model: mjx.Model, data: mjx.Data, tree: Tree) -> Bodies:
    """Motion and inertia about one point; MJX keeps them about the centre of mass of each tree."""
    axes, inertia = data.cdof.T, data._impl.cinert.T
    roots = model.body_rootid[tree.body_of]
    point = data.subtree_com[0] if len(set(roots.tolist())) != 1 else data.subtree_com[roots[0]]
    if len(set(roots.tolist())) > 1:
        axes = spatial.moved_motion(axes, data.subtree_com[roots].T - point[:, None])
        inertia = spatial.moved_inertia(inertia, data.subtree_com[model.body_rootid].T - point[:, None])
    return Bodies(point, axes, inertia, inertia @ tree.below.astype(inertia.dtype))


def inverse_dynamics(
    model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies, acceleration: Float[Array, " nv"]
) -> InverseDynamics:
    """Derivatives of inertial, Coriolis, gravity and fluid forces."""
    axes, dtype = body.axes, body.axes.dtype
    before, axis_moved, body_moved = (mask.astype(dtype).T for mask in (tree.before, tree.axis_moved, tree.body_moved))
    velocities = axes * data.qvel
    below = velocities @ before  # of the body that carries each dof
    turn = spatial.motion_cross(below, axes)  # P1
    axes_dot = spatial.motion_cross(velocities @ axis_moved, axes)
    gravity = jnp.concatenate([jnp.zeros(3, dtype), -model.opt.gravity.astype(dtype)])
    gravity = jnp.zeros(6, dtype) if model.opt.disableflags & DisableBit.GRAVITY else gravity
    accelerations = axes_dot * data.qvel + axes * acceleration
    carrying = gravity[:, None] + accelerations @ before
    turn_twice = spatial.motion_cross(carrying, axes) + spatial.motion_cross(below, turn)  # P2

    velocity, total = velocities @ body_moved, gravity[:, None] + accelerations @ body_moved
    momentum = spatial.times(body.inertia, velocity)
    wrench, slope = _fluid(model, data, body, velocity)
    force = spatial.times(body.inertia, total) + spatial.force_cross(velocity, momentum) - wrench
    units = jnp.broadcast_to(jnp.eye(6, dtype=dtype)[:, :, None], (6, 6, velocity.shape[1]))  # [component, unit, body]
    inertia, speed, impulse = body.inertia[:, None], velocity[:, None], momentum[:, None]
    coupling = (
        spatial.force_cross(units, impulse)
        + spatial.force_cross(speed, spatial.times(inertia, units))
        - spatial.times(inertia, spatial.motion_cross(speed, units))
        - slope
    )
    subtree = tree.below.astype(dtype)
    coupling, force = coupling @ subtree, force @ subtree

    rows = jnp.concatenate([spatial.times(body.composite, axes), jnp.sum(coupling * axes[:, None], axis=0)])
    by_position = jnp.concatenate([turn_twice, turn])
    by_velocity = jnp.concatenate([turn + axes_dot, axes])
    pushed = lambda motions: spatial.times(body.composite, motions[:6]) + spatial.applied(coupling, motions[6:])  # noqa: E731
    return InverseDynamics(
        _by_depth(tree, spatial.dots(rows, by_position), axes, spatial.force_cross(axes, force) + pushed(by_position)),
        _by_depth(tree, spatial.dots(rows, by_velocity), axes, pushed(by_velocity)),
    )


def inertial_force(tree: Tree, body: Bodies, acceleration: Float[Array, " nv"]) -> Float[Array, "nv nv"]:
    """d (M acceleration) / dq at a fixed acceleration, with the mass matrix M."""
    axes, dtype = body.axes, body.axes.dtype
    accelerations = axes * acceleration
    turn = spatial.motion_cross(accelerations @ tree.before.astype(dtype).T, axes)
    force = spatial.times(body.inertia, accelerations @ tree.body_moved.astype(dtype).T) @ tree.below.astype(dtype)
    pushed = spatial.force_cross(axes, force) + spatial.times(body.composite, turn)
    return _by_depth(tree, spatial.dots(spatial.times(body.composite, axes), turn), axes, pushed)


def _by_depth(
    tree: Tree, lower: Float[Array, "nv nv"], axes: spatial.Motion, pushed: spatial.Force
) -> Float[Array, "nv nv"]:
    """Derivative of the force at dof k by dof i: `lower` if i moves k, S_k . pushed_i if k carries i, otherwise 0."""
    return jnp.where(tree.axis_moved, lower, jnp.where(tree.before.T, spatial.dots(axes, pushed), 0))


def _fluid(
    model: mjx.Model, data: mjx.Data, body: Bodies, velocity: spatial.Motion
) -> tuple[Float[Array, "6 nbody"], Float[Array, "6 6 nbody"]]:
    """The wrench of the fluid on each body, and its derivative with respect to the body's motion."""
    if not model.opt._impl.has_fluid_params:
        return jnp.zeros_like(velocity), jnp.zeros((6, *velocity.shape), velocity.dtype)

    def wrench(motion: spatial.Motion, inertia: jax.Array, mass: jax.Array, at: jax.Array, frame: jax.Array) -> jax.Array:
        force, torque = passive._inertia_box_fluid_model(model, inertia, mass, body.point, at, frame, motion)
        return jnp.concatenate([torque + jnp.cross(at - body.point, force), force])

    arguments = (velocity.T, model.body_inertia, model.body_mass, data.xipos, data.ximat)
    return jax.vmap(wrench, out_axes=1)(*arguments), jax.vmap(jax.jacfwd(wrench), out_axes=2)(*arguments)
