"""Derivatives of the generalised force Q of springs, dampers and actuators; `inertial` has the fluid's forces."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.mjx_private import BiasType, DisableBit, GainType, forward, math
from dynamic_sparsity.simulation.stagewise.geometry import Geometry
from dynamic_sparsity.simulation.stagewise.rotations import right_jacobian_inverse


class Forces(NamedTuple):
    """Derivatives of the generalised force Q with respect to position, velocity, activation and control."""

    by_position: Float[Array, "nv nv"]
    by_velocity: Float[Array, "nv nv"]
    by_act: Float[Array, "nv na"]
    by_ctrl: Float[Array, "nv nu"]


def forces(model: mjx.Model, data: mjx.Data, coordinates: Coordinates, curved: Geometry | None) -> Forces:
    """Derivatives of springs, dampers and actuators; `curved`: `geometry_tangents` of a model that `is_curved`."""
    actuation, zero = actuators(model, data, curved), jnp.zeros((model.nv, model.nv), data.qvel.dtype)
    off = model.opt.disableflags
    if off & (DisableBit.SPRING | DisableBit.DAMPER):
        return actuation  # MJX leaves out all passive forces if it leaves out one kind
    position = _springs(model, data, coordinates) if np.asarray(model.jnt_stiffness).any() else zero
    velocity = -jnp.diag(model.dof_damping).astype(zero.dtype)
    if model.ntendon:
        moment, length = data._impl.ten_J, data.ten_length
        force, stiffness = _tendon_springs(model, length)
        position += moment.T @ (stiffness[:, None] * moment)
        velocity -= moment.T @ (model.tendon_damping[:, None] * moment)
        if curved is not None:
            # The tendon's velocity, too, changes with its Jacobian.
            position += jnp.einsum("tvi,t->vi", curved.tendon, force - model.tendon_damping * data._impl.ten_velocity)
            position -= moment.T @ (model.tendon_damping[:, None] * jnp.einsum("tvi,v->ti", curved.tendon, data.qvel))
    if curved is not None and model.flg_gravcomp:
        position += curved.gravity_compensation
    return actuation._replace(by_position=actuation.by_position + position, by_velocity=actuation.by_velocity + velocity)


def actuators(model: mjx.Model, data: mjx.Data, curved: Geometry | None) -> Forces:
    """Derivatives of qfrc_actuator = momentᵀ force(length, velocity, act, ctrl)."""
    nv, dtype = model.nv, data.qvel.dtype
    if not model.nu or model.opt.disableflags & DisableBit.ACTUATION:
        return Forces(*(jnp.zeros((nv, width), dtype) for width in (nv, nv, model.na, model.nu)))
    moment = data._impl.actuator_moment

    def force(length: jax.Array, velocity: jax.Array, act: jax.Array, ctrl: jax.Array) -> jax.Array:
        inputs = {"actuator_length": length, "_impl.actuator_velocity": velocity, "act": act, "ctrl": ctrl}
        return forward.fwd_actuation(model, data.tree_replace(inputs)).actuator_force

    at = (data.actuator_length, data._impl.actuator_velocity, data.act, data.ctrl)

    def slope(argument: int) -> jax.Array:
        """The derivative of each actuator's force with respect to its own length, velocity or control."""
        along = lambda value: force(*at[:argument], value, *at[argument + 1 :])  # noqa: E731
        return jax.jvp(along, (at[argument],), (jnp.ones_like(at[argument]),))[1]

    position = velocity = jnp.zeros((nv, nv), dtype)
    if _depends_on_motion(model):
        lengths, speeds = slope(0), slope(1)
        position = moment.T @ (lengths[:, None] * moment)
        velocity = moment.T @ (speeds[:, None] * moment)
        if curved is not None:
            position += moment.T @ (speeds[:, None] * jnp.einsum("uvi,v->ui", curved.moment, data.qvel))
    if curved is not None:
        position += jnp.einsum("uvi,u->vi", curved.moment, data.actuator_force)
    act = moment.T @ jax.jacfwd(lambda act: force(*at[:2], act, at[3]))(data.act) if model.na else jnp.zeros((nv, 0), dtype)
    ctrl = moment.T * slope(3)
    return Forces(*(_within_range(model, data, part) for part in (position, velocity, act, ctrl)))


def _within_range(model: mjx.Model, data: mjx.Data, slope: Float[Array, "nv n"]) -> Float[Array, "nv n"]:
    """`slope`, with zeros where the actuators' force at a joint is clipped."""
    if not np.any(model.jnt_actfrclimited):
        return slope
    limited = model.jnt_actfrclimited[model.dof_jntid]
    low, high = (jnp.where(limited, bound, sign * jnp.inf) for bound, sign in zip(_ranges(model), (-1, 1), strict=True))
    raw = data._impl.actuator_moment.T @ data.actuator_force
    return slope * ((low <= raw) & (raw <= high))[:, None]


def _ranges(model: mjx.Model) -> jax.Array:
    return model.jnt_actfrcrange[model.dof_jntid].T


def _depends_on_motion(model: mjx.Model) -> bool:
    """Whether any actuator's force depends on its length or velocity."""
    return not (np.all(model.actuator_gaintype == GainType.FIXED) and np.all(model.actuator_biastype == BiasType.NONE))


def _springs(model: mjx.Model, data: mjx.Data, coordinates: Coordinates) -> Float[Array, "nv nv"]:
    """Derivatives of joint springs: the stiffness, times the derivative of the rotation from rest for quaternions."""
    stiffness = model.jnt_stiffness[model.dof_jntid]
    slope = -jnp.diag(stiffness)
    for quaternion, dof in coordinates.quaternions:
        place = slice(quaternion, quaternion + 4)
        turn = math.quat_sub(data.qpos[place], model.qpos_spring[place])
        dofs = slice(dof, dof + 3)
        slope = slope.at[dofs, dofs].set(-stiffness[dof] * right_jacobian_inverse(turn))
    return slope


def _tendon_springs(
    model: mjx.Model, length: Float[Array, " ntendon"]
) -> tuple[Float[Array, " ntendon"], Float[Array, " ntendon"]]:
    """The force of tendon springs and its derivative with respect to the length.

    A spring with a single rest length is linear there too, although MJX's cases (shorter, longer) have no slope at
    rest.
    """
    shortest, longest = model.tendon_lengthspring.T
    stretch = jnp.where(length < shortest, length - shortest, jnp.maximum(length - longest, 0))
    slack = (shortest <= length) & (length <= longest) & (shortest < longest)
    return -model.tendon_stiffness * stretch, jnp.where(slack, 0, -model.tendon_stiffness)
