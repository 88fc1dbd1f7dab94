"""Derivatives of transmissions, tendons and constraint rows whose Jacobian depends on the position."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.mjx_private import ConeType, constraint, passive, smooth

PLAIN_JOINTS = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
"""Joints whose tangent is their coordinate."""


class Geometry(NamedTuple):
    """The quantities of a model that depend on the position alone."""

    moment: Float[Array, "nu nv"]
    tendon: Float[Array, "ntendon nv"]
    gravity_compensation: Float[Array, " nv"]
    rows: constraint._Efc | None
    """The constraint rows of all constraints but contacts."""


def geometry(model: mjx.Model, data: mjx.Data) -> Geometry:
    """Reads the geometry that MJX has computed at the position of `data`."""
    return Geometry(data._impl.actuator_moment, data._impl.ten_J, data.qfrc_gravcomp, other_rows(model, data))


def geometry_tangents(model: mjx.Model, data: mjx.Data, coordinates: Coordinates) -> Geometry:
    """Derivatives of the geometry with respect to the position tangent (last axis), for models that `is_curved`."""

    def at(tangent: Float[Array, " nv"]) -> Geometry:
        moved = data.replace(qpos=coordinates.moved(data.qpos, tangent))
        for stage in (smooth.kinematics, smooth.com_pos, smooth.tendon, smooth.transmission):
            moved = stage(model, moved)
        if model.flg_gravcomp:
            moved = moved.replace(qfrc_gravcomp=passive._gravcomp(model, moved))
        return geometry(model, moved)

    return jax.jacfwd(at)(jnp.zeros_like(data.qvel))


def other_rows(model: mjx.Model, data: mjx.Data) -> constraint._Efc | None:
    """MJX's constraint rows of all constraints but contacts, in its order; None if there are none."""
    makers = (
        constraint._efc_equality_connect,
        constraint._efc_equality_weld,
        constraint._efc_equality_joint,
        constraint._efc_equality_tendon,
        constraint._efc_friction,
        constraint._efc_limit_ball,
        constraint._efc_limit_slide_hinge,
        constraint._efc_limit_tendon,
    )
    return _joined([maker(model, data) for maker in makers])


def contact_rows(model: mjx.Model, data: mjx.Data) -> constraint._Efc | None:
    """MJX's constraint rows of contacts, in its order; None if there are none."""
    if data._impl.ncon == 0:
        return None
    elliptic = model.opt.cone == ConeType.ELLIPTIC
    maker = constraint._efc_contact_elliptic if elliptic else constraint._efc_contact_pyramidal
    return _joined([constraint._efc_contact_frictionless(model, data), *(maker(model, data, dim) for dim in (3, 4, 6))])


def is_curved(model: mujoco.MjModel) -> bool:
    """Whether transmissions, tendons or rows other than contact rows have a Jacobian that depends on the position."""
    spatial_tendon = np.isin(model.wrap_type, (mujoco.mjtWrap.mjWRAP_JOINT, mujoco.mjtWrap.mjWRAP_PULLEY), invert=True).any()
    joints = model.actuator_trnid[np.isin(model.actuator_trntype, (0, 1)), 0]
    other_transmission = (
        np.isin(
            model.actuator_trntype,
            (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT, mujoco.mjtTrn.mjTRN_TENDON),
            invert=True,
        ).any()
        or not np.isin(model.jnt_type[joints], PLAIN_JOINTS).all()
    )
    ball_limit = (model.jnt_limited.astype(bool) & (model.jnt_type == mujoco.mjtJoint.mjJNT_BALL)).any()
    return bool(spatial_tendon or other_transmission or ball_limit or model.neq or model.ngravcomp)


def _joined(rows: list[constraint._Efc | None]) -> constraint._Efc | None:
    present = [row for row in rows if row is not None]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *present) if present else None
