"""Derivatives of contacts.

A contact has a basis Jc [6, nv] in its own frame: relative velocity (normal, two tangents) and angular velocity of the
second geom's body against the first one's. Its rows are constant combinations of these: J = E Jc.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx
from mujoco.mjx._src import collision_driver
from mujoco.mjx._src.types import ConeType

from dynamic_sparsity.simulation.stagewise import spatial
from dynamic_sparsity.simulation.stagewise.inertial import Bodies
from dynamic_sparsity.simulation.stagewise.tree import Tree


class RowTangents(NamedTuple):
    """What the derivative of the constraint force asks of constraint rows, in MJX's order."""

    reach: Float[Array, "row nv"]
    """Derivative of the row's position: the distance, or nothing for friction of an elliptic cone."""
    place: Float[Array, "row nv"]
    """Derivative of the position that the row's impedance depends on: the distance."""
    acceleration: Float[Array, "row nv"]
    """(d J / d q) acceleration."""
    velocity: Float[Array, "row nv"]
    """(d J / d q) velocity."""
    force: Float[Array, "nv nv"]
    """(d Jᵀ / d q) efc_force."""


def contacts(
    model: mjx.Model,
    data: mjx.Data,
    tree: Tree,
    body: Bodies,
    acceleration: Float[Array, " nv"],
    efc_force: Float[Array, " row"],
) -> RowTangents:
    """Derivatives of the contact rows by the position, at fixed velocity, acceleration and force."""
    contact, dtype = data._impl.contact, body.axes.dtype
    active = (contact.dist < contact.includemargin).astype(dtype)
    moving = jnp.asarray(tree.body_moved[model.geom_bodyid], dtype)[contact.geom]  # [contact, side, dof]
    place, frame, distance = _tangents(model, data, tree, body)  # [3, contact, dof], [row, 3, contact, dof], [contact, dof]
    arm = contact.pos.T - body.point[:, None]  # [3, contact]
    axes = contact.frame.transpose(1, 2, 0)  # [row, 3, contact]
    side = moving[:, 1] - moving[:, 0]  # [contact, dof]

    def relative(speed: Float[Array, " nv"]) -> Float[Array, "6 contact nv"]:
        """d (Jc speed) / d q: the relative motion at the contact, in the frame of the contact."""
        motions = body.axes * speed
        first, second = (motions @ moving[:, number].T for number in (0, 1))  # [6, contact]
        carrying = (motions @ tree.before.astype(dtype).T)[:, None]  # [6, 1, dof]
        swept = second[..., None] * moving[:, 1] - first[..., None] * moving[:, 0] - carrying * side
        change = spatial.motion_cross(body.axes[:, None], swept)  # [6, contact, dof]
        difference = second - first
        linear = difference[3:] + spatial.cross(difference[:3], arm)
        change_linear = (
            change[3:] + spatial.cross(change[:3], arm[..., None]) + spatial.cross(difference[:3, :, None], place)
        )
        in_frame = lambda vector, changed: jnp.sum(  # noqa: E731
            frame * vector[None, ..., None] + axes[..., None] * changed[None], axis=1
        )
        return jnp.concatenate([in_frame(linear, change_linear), in_frame(difference[:3], change[:3])])

    rows = [_combinations(model, kind, friction) for kind, friction in _groups(contact)]
    by_row = lambda basis: _stacked(rows, basis * active[:, None])  # noqa: E731
    wrench = _wrench(rows, efc_force) * active  # [6, contact], in the frame of the contact
    push = jnp.sum(axes * wrench[:3, None], axis=0)
    change_push = jnp.sum(frame * wrench[:3, None, :, None], axis=0)
    twist = jnp.sum(axes * wrench[3:, None], axis=0)
    change_torque = (
        jnp.sum(frame * wrench[3:, None, :, None], axis=0)
        + spatial.cross(place, push[..., None])
        + spatial.cross(arm[..., None], change_push)
    )
    at_point = jnp.concatenate([twist + spatial.cross(arm, push), push])  # [6, contact]
    changed = jnp.concatenate([change_torque, change_push])  # [6, contact, dof]
    carried = spatial.force_cross(body.axes, at_point @ side)  # [6, dof k]
    turned = jnp.where(tree.axis_moved, spatial.dots(carried, body.axes), 0)
    pushed = _contracted(body.axes, side, changed)
    return RowTangents(
        reach=_repeated(rows, distance * active[:, None]) * _has_reach(model, rows)[:, None],
        place=_repeated(rows, distance * active[:, None]),
        acceleration=by_row(relative(acceleration)),
        velocity=by_row(relative(data.qvel)),
        force=turned + pushed,
    )


def _contracted(
    axes: spatial.Motion, side: Float[Array, "contact nv"], changed: Float[Array, "6 contact nv"]
) -> Float[Array, "nv nv"]:
    """Sum over contacts c of side[c, k] S_k . changed[:, c, i]."""
    lever = axes[:, None] * side  # [6, contact, dof]
    return spatial.dots(lever.reshape(-1, axes.shape[1]), changed.reshape(-1, axes.shape[1]))


def _tangents(model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Derivatives of the contacts' positions, frames and distances: MJX's collision, geoms moved as rigid bodies."""

    def collided(place: jax.Array, frame: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        contact = collision_driver.collision(model, data.replace(geom_xpos=place, geom_xmat=frame))._impl.contact
        return contact.pos.T, contact.frame.transpose(1, 2, 0), contact.dist

    held = tree.body_moved.astype(body.axes.dtype)[model.geom_bodyid]  # [geom, dof]

    def moved(axis: Float[Array, " 6"], who: Float[Array, " geom"]) -> tuple[jax.Array, jax.Array]:
        angular, linear = (axis[:, None] * who)[:3], (axis[:, None] * who)[3:]
        place = linear + spatial.cross(angular, data.geom_xpos.T - body.point[:, None])
        frame = spatial.cross(angular[..., None], data.geom_xmat.transpose(1, 0, 2))
        return place.T, frame.transpose(1, 0, 2)

    given = (data.geom_xpos, data.geom_xmat)
    push = lambda axis, who: jax.jvp(collided, given, moved(axis, who))[1]  # noqa: E731
    return jax.vmap(push, in_axes=(1, 1), out_axes=-1)(body.axes, held)


def _groups(contact: mjx.Contact) -> list[tuple[int, jax.Array]]:
    """(condim, friction) of each group of contacts of one dimension, in MJX's order of rows."""
    return [(int(dim), contact.friction[contact.dim == dim]) for dim in np.unique(contact.dim)]


def _combinations(model: mjx.Model, condim: int, friction: Float[Array, "contact 5"]) -> Float[Array, "row 6 contact"]:
    """E of each contact: its rows as combinations of its basis."""
    unit = jnp.eye(6, dtype=friction.dtype)[..., None]
    whole = jnp.ones(len(friction), friction.dtype)
    if condim == 1:
        return unit[:1] * whole
    if model.opt.cone == ConeType.ELLIPTIC:
        return unit[:condim] * whole
    edges = []
    for direction in range(1, condim):
        along = unit[direction] * friction[:, direction - 1]
        edges += [unit[0] + along, unit[0] - along]
    return jnp.stack(edges)


def _stacked(rows: list[jax.Array], basis: Float[Array, "6 contact nv"]) -> Float[Array, "row nv"]:
    """E basis, contact by contact, row by row."""
    parts, at = [], 0
    for group in rows:
        count = group.shape[2]
        part = jnp.sum(group[..., None] * basis[None, :, at : at + count], axis=1)  # [row, contact, dof]
        parts.append(part.transpose(1, 0, 2).reshape(-1, basis.shape[2]))
        at += count
    return jnp.concatenate(parts)


def _repeated(rows: list[jax.Array], each: Float[Array, "contact nv"]) -> Float[Array, "row nv"]:
    """The same for all rows of a contact."""
    counts = np.concatenate([np.full(group.shape[2], group.shape[0]) for group in rows])
    return jnp.repeat(each, counts, axis=0, total_repeat_length=int(counts.sum()))


def _has_reach(model: mjx.Model, rows: list[jax.Array]) -> np.ndarray:
    """All rows, but the friction rows of elliptic cones."""
    normal = [np.arange(len(group)) == 0 if model.opt.cone == ConeType.ELLIPTIC else np.ones(len(group)) for group in rows]
    return np.concatenate([np.tile(which, group.shape[2]) for which, group in zip(normal, rows, strict=True)])


def _wrench(rows: list[jax.Array], force: Float[Array, " row"]) -> Float[Array, "6 contact"]:
    """Eᵀ force of each contact."""
    parts, at = [], 0
    for group in rows:
        size, _, count = group.shape
        part = force[at : at + size * count].reshape(count, size).T  # [row, contact]
        parts.append(jnp.sum(group * part[:, None], axis=0))
        at += size * count
    return jnp.concatenate(parts, axis=1)
