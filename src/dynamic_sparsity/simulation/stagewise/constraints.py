"""Derivatives of the constraint force, and the Hessian of the constraint solver's cost.

The solver finds the acceleration a at which M a = Q + Jᵀ f(J a - aref), with aref = -b J v - k r (MuJoCo, "Computation",
"Constraint model": stiffness k, damping b, impedance r times the row's position). The force is linear in the row's weight
D(r), so df = -K d(J a - aref) + f d(log D), with K = -df/dx: D on active rows, or the Hessian of an elliptic cone.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx
from mujoco.mjx._src import constraint, solver
from mujoco.mjx._src.types import ConeType, SolverType

from dynamic_sparsity.simulation.stagewise.contacts import RowTangents, contacts, repeated, row_count
from dynamic_sparsity.simulation.stagewise.geometry import Geometry, contact_rows, other_rows
from dynamic_sparsity.simulation.stagewise.inertial import Bodies
from dynamic_sparsity.simulation.stagewise.tree import Tree


class ConstraintForce(NamedTuple):
    """Derivatives of Jᵀ f at a fixed acceleration, and -Jᵀ f' J."""

    by_position: Float[Array, "nv nv"]
    by_velocity: Float[Array, "nv nv"]
    hessian: Float[Array, "nv nv"]


def constraint_force(model: mjx.Model, data: mjx.Data, tree: Tree, body: Bodies, curved: Geometry | None) -> ConstraintForce:
    """Derivatives of the constraint force at the acceleration where the solver ended."""
    acceleration, matrix = data.qacc, data._impl.efc_J
    newton = model.tree_replace({"opt.solver": SolverType.NEWTON})  # the Hessian, whatever solver was used
    context = solver.Context.create(newton, data, grad=False)
    others, touching = other_rows(model, data), contact_rows(model, data)
    split = 0 if others is None else len(others.J)
    tangents, laws = [], []
    if others is not None:
        tangents.append(_other_tangents(data, others, curved, context.efc_force[:split]))
        laws.append(_row_law(model, others))
    if touching is not None:
        tangents.append(contacts(model, data, tree, body, acceleration, context.efc_force[split:]))
        laws.append(_contact_law(model, data, touching))
    damping, stiff_reach, stiff_place, weight = (jnp.concatenate(parts) for parts in zip(*laws, strict=True))
    *by_row, turned = zip(*tangents, strict=True)
    whole = RowTangents(*(jnp.concatenate(parts) for parts in by_row), jnp.sum(jnp.stack(turned), axis=0))
    change = whole.acceleration + damping[:, None] * whole.velocity + stiff_reach[:, None] * whole.reach
    change += stiff_place[:, None] * whole.place
    pull = _pull(model, data, context, matrix)  # Jᵀ K
    return ConstraintForce(
        by_position=whole.force - pull @ change + matrix.T @ ((context.efc_force * weight)[:, None] * whole.place),
        by_velocity=-pull @ (damping[:, None] * matrix),
        hessian=pull @ matrix,
    )


def _other_tangents(
    data: mjx.Data, rows: constraint._Efc, curved: Geometry | None, force: Float[Array, " row"]
) -> RowTangents:
    """Derivatives of the rows that are no contacts."""
    if curved is None or curved.rows is None:  # J is constant, and the derivative of the position; friction has none
        reach, still = rows.J.at[: data._impl.nf].set(0), jnp.zeros_like(rows.J)
        return RowTangents(reach, reach, still, still, jnp.zeros((rows.J.shape[1],) * 2, rows.J.dtype))
    turned = curved.rows.J  # [row, dof, dof that moves]
    return RowTangents(
        reach=curved.rows.pos_aref,
        place=curved.rows.pos_imp,
        acceleration=jnp.einsum("rvi,v->ri", turned, data.qacc),
        velocity=jnp.einsum("rvi,v->ri", turned, data.qvel),
        force=jnp.einsum("rvi,r->vi", turned, force),
    )


def _row_law(model: mjx.Model, rows: constraint._Efc) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Of each row: damping b; derivatives of k r by the row's position and by its impedance's; of log D by the latter."""

    def law(reach: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
        stiffness, _, impedance = jax.vmap(lambda *row: constraint._kbi(model, *row))(rows.solref, rows.solimp, place)
        regular = jnp.maximum(rows.invweight * (1 - impedance) / impedance, mujoco.mjMINVAL)
        return stiffness * impedance * reach, -jnp.log(regular)

    damping = jax.vmap(lambda *row: constraint._kbi(model, *row)[1])(rows.solref, rows.solimp, rows.pos_imp)
    ones, none = jnp.ones_like(rows.pos_imp), jnp.zeros_like(rows.pos_imp)
    at = (rows.pos_aref, rows.pos_imp)
    by_reach = jax.jvp(law, at, (ones, none))[1][0]
    by_place, weight = jax.jvp(law, at, (none, ones))[1]
    return damping, by_reach, by_place, weight


def _contact_law(model: mjx.Model, data: mjx.Data, rows: constraint._Efc) -> tuple[jax.Array, ...]:
    """The same for the rows of contacts: those of a pyramidal one share it, and powers are expensive."""
    if model.opt.cone == ConeType.ELLIPTIC:
        return _row_law(model, rows)
    contact = data._impl.contact
    counts = np.array([row_count(model, condim) for condim in np.sort(contact.dim).tolist()])
    first = jax.tree.map(lambda part: part[np.cumsum(counts) - counts], rows)
    return tuple(repeated(model, contact, part) for part in _row_law(model, first))


def _pull(
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
