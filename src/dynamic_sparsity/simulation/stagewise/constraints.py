"""Derivatives of constraint rows and of the constraint force, and the Hessian of the constraint solver's cost.

The solver finds the acceleration a at which M a = Q + Jᵀ f(x), with x = J a - aref and aref = -b J v - k r (MuJoCo,
"Computation", "Constraint model": stiffness k, damping b, impedance r times the row's position). The force is linear in
the row's weight D(r), so df = -K dx + f d(log D), where K = -df/dx is D on active rows, or the Hessian of an elliptic
cone.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import ConeType, constraint, solver
from dynamic_sparsity.simulation.stagewise.contacts import ContactRows, repeated, row_count
from dynamic_sparsity.simulation.stagewise.geometry import Geometry, contact_rows, other_rows
from dynamic_sparsity.simulation.stagewise.inertial import Bodies
from dynamic_sparsity.simulation.stagewise.tree import Tree


class Rows:
    """How the constraint rows of a model, in MJX's order, change with the position; made once per position."""

    def __init__(self, model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies, curved: Geometry | None) -> None:
        non_contact, contact = other_rows(model, data), contact_rows(model, data)
        parts = []
        laws = []
        if non_contact is not None:
            parts.append(_OtherRows(data, non_contact, curved))
            laws.append(_row_law(model, non_contact))
        if contact is not None:
            parts.append(ContactRows(model, data, tree, body))
            laws.append(_contact_law(model, data, contact))
        self._parts, self._split = parts, 0 if non_contact is None else len(non_contact.J)
        damping, stiff_reach, stiff_place, weight = (jnp.concatenate(quantities) for quantities in zip(*laws, strict=True))
        reach, place = (jnp.concatenate([getattr(part, name) for part in parts]) for name in ("reach", "place"))
        self.by_velocity: Float[Array, "row nv"] = damping[:, None] * data._impl.efc_J
        """Derivative of x with respect to the velocity."""
        self.log_weight: Float[Array, "row nv"] = weight[:, None] * place
        """Derivative of log D with respect to the position."""
        self._speed = self.motion(data.qvel)
        self._still = damping[:, None] * self._speed + stiff_reach[:, None] * reach + stiff_place[:, None] * place

    def motion(self, speed: Float[Array, " nv"]) -> Float[Array, "row nv"]:
        """(dJ / dq) `speed`."""
        return jnp.concatenate([part.motion(speed) for part in self._parts])

    def pull(self, efc_force: Float[Array, " row"]) -> Float[Array, "nv nv"]:
        """(dJᵀ / dq) `efc_force`."""
        pieces = [efc_force] if len(self._parts) == 1 else [efc_force[: self._split], efc_force[self._split :]]
        return jnp.sum(jnp.stack([part.pull(piece) for part, piece in zip(self._parts, pieces, strict=True)]), axis=0)

    def by_position(self, acceleration: Float[Array, " nv"]) -> Float[Array, "row nv"]:
        """Derivative of x with respect to the position, at a fixed acceleration."""
        return self.motion(acceleration) + self._still


class ConstraintForce(NamedTuple):
    """Derivatives of Jᵀ f at a fixed acceleration, and its Hessian -Jᵀ f' J."""

    by_position: Float[Array, "nv nv"]
    by_velocity: Float[Array, "nv nv"]
    hessian: Float[Array, "nv nv"]


def constraint_force(model: mjx.Model, data: mjx.Data, rows: Rows, context: solver.Context) -> ConstraintForce:
    """Derivatives of the constraint force at the acceleration of `context`."""
    matrix, force = data._impl.efc_J, context.efc_force
    pull = _stiffness(model, data, context, matrix)  # Jᵀ K
    by_position = rows.pull(force) - pull @ rows.by_position(context.qacc)
    return ConstraintForce(
        by_position=by_position + matrix.T @ (force[:, None] * rows.log_weight),
        by_velocity=-pull @ rows.by_velocity,
        hessian=pull @ matrix,
    )


class _OtherRows:
    """The rows of all constraints but contacts, with the interface of `ContactRows`."""

    def __init__(self, data: mjx.Data, rows: constraint._Efc, curved: Geometry | None) -> None:
        turning = None if curved is None else curved.rows
        self._matrix, self._turned = rows.J, None if turning is None else turning.J
        if turning is None:  # J is constant and is the derivative of the row's position; friction has no position
            self.reach = self.place = rows.J.at[: data._impl.nf].set(0)
        else:
            self.reach, self.place = turning.pos_aref, turning.pos_imp

    def motion(self, speed: Float[Array, " nv"]) -> Float[Array, "row nv"]:
        if self._turned is None:
            return jnp.zeros_like(self._matrix)
        return jnp.einsum("rvi,v->ri", self._turned, speed)

    def pull(self, efc_force: Float[Array, " row"]) -> Float[Array, "nv nv"]:
        if self._turned is None:
            return jnp.zeros((self._matrix.shape[1],) * 2, self._matrix.dtype)
        return jnp.einsum("rvi,r->vi", self._turned, efc_force)


def _row_law(model: mjx.Model, rows: constraint._Efc) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Damping b of each row, the derivatives of k r, and the derivative of log D.

    The derivatives of k r are with respect to the row's position and to the position that its impedance depends on;
    that of log D is with respect to the latter.
    """

    def law(reach: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        stiffness, _, impedance = jax.vmap(lambda *row: constraint._kbi(model, *row))(rows.solref, rows.solimp, place)
        regular = jnp.maximum(rows.invweight * (1 - impedance) / impedance, mujoco.mjMINVAL)
        return stiffness * impedance * reach, -jnp.log(regular)

    damping = jax.vmap(lambda *row: constraint._kbi(model, *row)[1])(rows.solref, rows.solimp, rows.pos_imp)
    ones, zeros = jnp.ones_like(rows.pos_imp), jnp.zeros_like(rows.pos_imp)
    at = (rows.pos_aref, rows.pos_imp)
    by_reach = jax.jvp(law, at, (ones, zeros))[1][0]
    by_place, weight = jax.jvp(law, at, (zeros, ones))[1]
    return damping, by_reach, by_place, weight


def _contact_law(model: mjx.Model, data: mjx.Data, rows: constraint._Efc) -> tuple[jax.Array, ...]:
    """`_row_law` of contact rows; computed once per pyramidal contact, whose rows share it, as powers are expensive."""
    if model.opt.cone == ConeType.ELLIPTIC:
        return _row_law(model, rows)
    contact = data._impl.contact
    counts = np.array([row_count(model, condim) for condim in np.sort(contact.dim).tolist()])
    first = jax.tree.map(lambda part: part[np.cumsum(counts) - counts], rows)
    return tuple(repeated(model, contact, part) for part in _row_law(model, first))


def _stiffness(
    model: mjx.Model, data: mjx.Data, context: solver.Context, matrix: Float[Array, "row nv"]
) -> Float[Array, "nv row"]:
    """Jᵀ K."""
    weights = data._impl.efc_D * context.active
    if model.opt.cone != ConeType.ELLIPTIC:
        return matrix.T * weights
    cone = jnp.diag(weights)
    contact = data._impl.contact
    frictional = contact.dim > 1
    for number, (size, at) in enumerate(zip(contact.dim[frictional], contact.efc_address[frictional], strict=True)):
        cone = cone.at[at : at + size, at : at + size].add(context.h[number, :size, :size])
    return matrix.T @ cone
