"""Derivatives of contact rows.

A contact has a basis Jc in its own frame: the velocity (normal, two tangents) of the second geom's body relative to the
first one's and, if a contact's condim is above 3, their relative angular velocity. Its rows are constant combinations
of these: J = E Jc.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import ConeType, collision_driver
from dynamic_sparsity.simulation.stagewise import spatial
from dynamic_sparsity.simulation.stagewise.inertial import Bodies
from dynamic_sparsity.simulation.stagewise.tree import Tree

_CROSS = np.cross(np.eye(3)[:, None], np.eye(3)[None]).transpose(2, 0, 1)
"""[x, z, y]: (a x b)_x = sum of _CROSS[x, z, y] a_z b_y."""


class ContactRows:
    """How the rows of all contacts change with the position.

    Made once per position; the solver's iterations apply it to one acceleration after another, in which it is linear.
    """

    def __init__(self, model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies) -> None:
        contact, dtype = data._impl.contact, body.axes.dtype
        self._model, self._tree, self._body = model, tree, body
        self._active = (contact.dist < contact.includemargin).astype(dtype)
        self._moving = jnp.asarray(tree.body_moved[model.geom_bodyid], dtype)[contact.geom]  # [contact, side, dof]
        self._side = self._moving[:, 1] - self._moving[:, 0]  # [contact, dof]
        self._place, self._turn, distance = _tangents(model, data, tree, body)
        self._arm = contact.pos.T - body.point[:, None]  # [3, contact]
        self._axes = contact.frame.transpose(1, 2, 0)  # [row, 3, contact]
        self._groups = _groups(contact)
        self._turning = max(condim for condim, _ in self._groups) > 3
        self.place: Float[Array, "row nv"] = repeated(model, contact, distance * self._active[:, None])
        """Derivative of the position that a row's impedance depends on, which is the contact's distance."""
        self.reach: Float[Array, "row nv"] = self.place * _has_reach(model, self._groups)[:, None]
        """Derivative of the row's position: of the distance, and zero for the friction rows of an elliptic cone."""

    def motion(self, speed: Float[Array, " nv"]) -> Float[Array, "row nv"]:
        """(dJ / dq) `speed`: the derivative of the relative motion at the contacts, in the contacts' frames."""
        body, moving, side, turn = self._body, self._moving, self._side, self._turn
        motions = body.axes * speed
        first, second = (motions @ moving[:, number].T for number in (0, 1))  # [6, contact]
        carrying = (motions @ self._tree.before.astype(body.axes.dtype).T)[:, None]  # [6, 1, dof]
        swept = second[..., None] * moving[:, 1] - first[..., None] * moving[:, 0] - carrying * side
        change = spatial.motion_cross(body.axes[:, None], swept)  # [6, contact, dof]
        difference = second - first
        linear = difference[3:] + spatial.cross(difference[:3], self._arm)
        change_linear = (
            change[3:]
            + spatial.cross(change[:3], self._arm[..., None])
            + spatial.cross(difference[:3, :, None], self._place)
            - spatial.cross(turn, linear[..., None])
        )
        basis = self._in_frame(change_linear)
        if self._turning:
            change_angular = change[:3] - spatial.cross(turn, difference[:3, :, None])
            basis = jnp.concatenate([basis, self._in_frame(change_angular)])
        return _rows(self._model, self._groups, basis * self._active[:, None])

    def pull(self, efc_force: Float[Array, " row"]) -> Float[Array, "nv nv"]:
        """(dJᵀ / dq) `efc_force`."""
        axes, turn, arm = self._axes, self._turn, self._arm
        wrench = _wrench(self._model, self._groups, efc_force) * self._active  # in the frame of the contact
        force, torque = wrench[:3], wrench[3 : 6 if self._turning else 3]
        push = jnp.sum(axes * force[:, None], axis=0)
        twist = jnp.sum(axes[: len(torque)] * torque[:, None], axis=0)
        change_push = spatial.cross(turn, push[..., None])
        change_torque = (
            spatial.cross(turn, twist[..., None])
            + spatial.cross(self._place, push[..., None])
            + spatial.cross(arm[..., None], change_push)
        )
        at_point = jnp.concatenate([twist + spatial.cross(arm, push), push])  # [6, contact]
        changed = jnp.concatenate([change_torque, change_push])  # [6, contact, dof]
        carried = spatial.force_cross(self._body.axes, at_point @ self._side)  # [6, dof k]
        turned = jnp.where(self._tree.axis_moved, spatial.dots(carried, self._body.axes), 0)
        return turned + _contracted(self._body.axes, self._side, changed)

    def _in_frame(self, vector: Float[Array, "3 contact nv"]) -> Float[Array, "3 contact nv"]:
        """Vectors of the world in the frames of the contacts."""
        return jnp.sum(self._axes[..., None] * vector, axis=1)


def _contracted(
    axes: spatial.Motion, side: Float[Array, "contact nv"], changed: Float[Array, "6 contact nv"]
) -> Float[Array, "nv nv"]:
    """The sum over contacts c of side[c, k] S_k . changed[:, c, i]."""
    lever = axes[:, None] * side  # [6, contact, dof]
    return spatial.dots(lever.reshape(-1, axes.shape[1]), changed.reshape(-1, axes.shape[1]))


def _tangents(model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Derivatives of MJX's collision detection when dofs move the geoms as rigid bodies.

    Returns the derivatives of the contacts' positions [3, contact, dof], of their frames, as the frames' angular
    velocities [3, contact, dof], and of their distances [contact, dof].
    """

    def collided(place: jax.Array, frame: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        contact = collision_driver.collision(model, data.replace(geom_xpos=place, geom_xmat=frame))._impl.contact
        return contact.pos.T, contact.frame.transpose(1, 2, 0), contact.dist

    geom_moved = tree.body_moved.astype(body.axes.dtype)[model.geom_bodyid]  # [geom, dof]

    def moved(axis: Float[Array, " 6"], geoms: Float[Array, " geom"]) -> tuple[jax.Array, jax.Array]:
        angular, linear = (axis[:, None] * geoms)[:3], (axis[:, None] * geoms)[3:]
        place = linear + spatial.cross(angular, data.geom_xpos.T - body.point[:, None])
        frame = spatial.cross(angular[..., None], data.geom_xmat.transpose(1, 0, 2))
        return place.T, frame.transpose(1, 0, 2)

    geom_poses = (data.geom_xpos, data.geom_xmat)
    push = lambda axis, geoms: jax.jvp(collided, geom_poses, moved(axis, geoms))[1]  # noqa: E731
    place, frame, distance = jax.vmap(push, in_axes=(1, 1), out_axes=-1)(body.axes, geom_moved)
    # Each axis e of a frame moves by w x e, so the sum of e x de over the three axes is 2 w. It is written as a matrix
    # product because XLA does not recompute a product for each of its uses.
    axes = data._impl.contact.frame
    turn = jnp.einsum("xzy,crz,rycd->xcd", _CROSS / 2, axes, frame)
    return place, turn, distance


def _groups(contact: mjx.Contact) -> list[tuple[int, jax.Array]]:
    """(condim, friction) of each group of contacts with one condim, in MJX's order of rows."""
    return [(int(dim), contact.friction[contact.dim == dim]) for dim in np.unique(contact.dim)]


def row_count(model: mjx.Model, condim: int) -> int:
    """How many constraint rows a contact has."""
    return condim if condim == 1 or model.opt.cone == ConeType.ELLIPTIC else 2 * (condim - 1)


def repeated(model: mjx.Model, contact: mjx.Contact, values: Float[Array, "contact ..."]) -> Float[Array, "row ..."]:
    """The values of each contact repeated for each of its rows."""
    parts, at = [], 0
    for condim, friction in _groups(contact):
        count, size = len(friction), row_count(model, condim)
        part = jnp.broadcast_to(values[at : at + count, None], (count, size, *values.shape[1:]))
        parts.append(part.reshape(count * size, *values.shape[1:]))
        at += count
    return jnp.concatenate(parts)


def _rows(
    model: mjx.Model, groups: list[tuple[int, jax.Array]], basis: Float[Array, "basis contact nv"]
) -> Float[Array, "row nv"]:
    """E `basis`, contact by contact, row by row."""
    parts, at = [], 0
    for condim, friction in groups:
        of_group = basis[:, at : at + len(friction)]
        if condim == 1 or model.opt.cone == ConeType.ELLIPTIC:
            part = of_group[:condim]
        else:
            along = friction.T[: condim - 1, :, None] * of_group[1:condim]
            part = jnp.stack([of_group[0] + along, of_group[0] - along], axis=1)  # [direction, sign, contact, dof]
        parts.append(part.reshape(-1, *of_group.shape[1:]).transpose(1, 0, 2).reshape(-1, basis.shape[2]))
        at += len(friction)
    return jnp.concatenate(parts)


def _wrench(model: mjx.Model, groups: list[tuple[int, jax.Array]], force: Float[Array, " row"]) -> Float[Array, "6 contact"]:
    """Eᵀ `force` of each contact."""
    parts, at = [], 0
    for condim, friction in groups:
        count = len(friction)
        size = row_count(model, condim)
        of_group = force[at : at + size * count].reshape(count, size).T  # [row, contact]
        if condim > 1 and model.opt.cone != ConeType.ELLIPTIC:
            along = friction.T[: condim - 1] * (of_group[::2] - of_group[1::2])
            of_group = jnp.concatenate([of_group.sum(axis=0)[None], along])
        parts.append(jnp.pad(of_group, ((0, 6 - condim), (0, 0))))
        at += size * count
    return jnp.concatenate(parts, axis=1)


def _has_reach(model: mjx.Model, groups: list[tuple[int, jax.Array]]) -> np.ndarray:
    """True for every row but the friction rows of elliptic cones."""
    elliptic = model.opt.cone == ConeType.ELLIPTIC
    rows = [(row_count(model, condim), len(friction)) for condim, friction in groups]
    return np.concatenate([np.tile(np.arange(size) < (1 if elliptic else size), count) for size, count in rows])
