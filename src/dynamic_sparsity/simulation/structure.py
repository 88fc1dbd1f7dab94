"""Entries of the Jacobian that can be non-zero by structure: an upper bound of all Jacobians of a model.

A variable can depend on another only if something passes the influence on. Within a kinematic tree the mass matrix
does: its inverse is dense. Between trees a contact, a tendon, an equality or an actuator can. Beyond that, MJX's
constraint solver takes one step length along all degrees of freedom together. Where it stops before it converges, this
number makes the accelerations of separate bodies depend on each other, although no force acts between them.

The masks of the trees are those of the closed-form stages (`stagewise.tree`). docs/method.md says why no general tracer
of jax programs is used.
"""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np
from jaxtyping import Bool
from scipy.sparse.csgraph import connected_components

from dynamic_sparsity.simulation.constraints import Constraints
from dynamic_sparsity.simulation.stagewise.tree import Tree


class Structure(NamedTuple):
    """Which entries [out_dim, in_dim] can be non-zero."""

    joined: Bool[np.ndarray, "out_dim in_dim"]
    """A chain of joints, contacts, tendons, equalities and actuators leads from the input to the output."""
    possible: Bool[np.ndarray, "out_dim in_dim"]
    """`joined`, or the constraint solver's step length leads there."""


def structure_of(model: mujoco.MjModel, method: str) -> Structure:
    """The structure of a model's control step, however many substeps it has; `method` is that of the Jacobians.

    Method `implicit` differentiates the solver's solution, which has no step length, so nothing is added to `joined`.
    """
    tree = Tree.of(model)
    links = [tree.axis_moved, *(np.outer(dofs, dofs) for dofs in _couplings(model, tree))]
    graph = np.logical_or.reduce(links)
    _, group = connected_components(graph, directed=False) if model.nv else (0, np.zeros(0, int))
    joined = group[:, None] == group[None]
    driven = _driven(model, tree)  # [actuator, dof]
    stepped = np.ones_like(joined) if method != "implicit" and _has_constraints(model) else joined
    return Structure(*(_entries(model, dofs, driven) for dofs in (joined, stepped)))


def _entries(model: mujoco.MjModel, dofs: np.ndarray, driven: np.ndarray) -> np.ndarray:
    """Entries [out_dim, in_dim], from `dofs` [dof, dof], which depend on each other, and `driven` [actuator, dof]."""
    reached = (driven.astype(int) @ dofs.astype(int) > 0).T  # [dof, actuator]
    owner = _owners(model)  # [actuator, activation]
    by_act = reached.astype(int) @ owner.astype(int) > 0
    of_dofs = np.hstack([dofs, dofs, by_act, reached])
    own = owner.T.astype(int) @ owner.astype(int) > 0
    felt = np.zeros((model.na, model.nv), bool)
    for actuator in range(model.nu):
        if mujoco.mjtDyn(model.actuator_dyntype[actuator]) in _BY_CONTROL:
            continue
        felt[owner[actuator]] = reached[:, actuator]
    return np.vstack([of_dofs, of_dofs, np.hstack([felt, felt, own, owner.T])])


_BY_CONTROL = [
    *(mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtDyn.mjDYN_INTEGRATOR, mujoco.mjtDyn.mjDYN_FILTER),
    *(mujoco.mjtDyn.mjDYN_FILTEREXACT, mujoco.mjtDyn.mjDYN_MUSCLE),
]
"""Actuator dynamics in which the next activation depends on activation and control only."""


def _owners(model: mujoco.MjModel) -> np.ndarray:
    """[actuator, activation]: the activation belongs to the actuator."""
    owner = np.zeros((model.nu, model.na), bool)
    for actuator in np.flatnonzero(model.actuator_actnum > 0):
        first = model.actuator_actadr[actuator]
        owner[actuator, first : first + model.actuator_actnum[actuator]] = True
    return owner


def _couplings(model: mujoco.MjModel, tree: Tree) -> list[np.ndarray]:
    """Sets of dofs [dof] between which something other than the tree can pass a force."""
    moved = tree.body_moved
    contacts = [moved[model.geom_bodyid[list(pair)]].any(axis=0) for pair in Constraints.of(model).pairs]
    tendons = [_of_tendon(model, moved, tendon) for tendon in range(model.ntendon)]
    equalities = [_of_equality(model, moved, equality) for equality in range(model.neq)]
    return [*contacts, *tendons, *equalities, *_driven(model, tree)]


def _driven(model: mujoco.MjModel, tree: Tree) -> np.ndarray:
    """[actuator, dof]: the actuator can push the dof; of a transmission that is not listed here, every dof."""
    kind = mujoco.mjtTrn
    driven = np.ones((model.nu, model.nv), bool)
    if model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_ACTUATION:
        return ~driven
    for actuator in range(model.nu):
        first, second = model.actuator_trnid[actuator].tolist()
        transmission = kind(model.actuator_trntype[actuator])
        if transmission in (kind.mjTRN_JOINT, kind.mjTRN_JOINTINPARENT):
            driven[actuator] = _of_joint(model, first)
        elif transmission == kind.mjTRN_TENDON:
            driven[actuator] = _of_tendon(model, tree.body_moved, first)
        elif transmission in (kind.mjTRN_SITE, kind.mjTRN_SLIDERCRANK):
            bodies = model.site_bodyid[[site for site in (first, second) if site >= 0]]
            driven[actuator] = tree.body_moved[bodies].any(axis=0)
    return driven


def _of_joint(model: mujoco.MjModel, joint: int) -> np.ndarray:
    """[dof]: the dof is one of the joint's."""
    return model.dof_jntid == joint


def _of_tendon(model: mujoco.MjModel, moved: np.ndarray, tendon: int) -> np.ndarray:
    """[dof]: the dof changes the tendon's length."""
    first = model.tendon_adr[tendon]
    path = range(first, first + model.tendon_num[tendon])
    dofs = np.zeros(model.nv, bool)
    for wrap in path:
        kind, number = mujoco.mjtWrap(model.wrap_type[wrap]), int(model.wrap_objid[wrap])
        if kind == mujoco.mjtWrap.mjWRAP_JOINT:
            dofs |= _of_joint(model, number)
        elif kind == mujoco.mjtWrap.mjWRAP_SITE:
            dofs |= moved[model.site_bodyid[number]]
        elif kind in (mujoco.mjtWrap.mjWRAP_SPHERE, mujoco.mjtWrap.mjWRAP_CYLINDER):
            side = int(model.wrap_prm[wrap])  # the site that says on which side the tendon passes, or -1
            dofs |= moved[model.geom_bodyid[number]] | (moved[model.site_bodyid[side]] if side >= 0 else False)
    return dofs


def _of_equality(model: mujoco.MjModel, moved: np.ndarray, equality: int) -> np.ndarray:
    """[dof]: the dof takes part in the equality constraint; of a type that is not listed here, every dof."""
    kind = mujoco.mjtEq
    of_type = kind(model.eq_type[equality])
    pair = int(model.eq_obj1id[equality]), int(model.eq_obj2id[equality])
    objects = [number for number in pair if number >= 0]
    if of_type in (kind.mjEQ_CONNECT, kind.mjEQ_WELD):
        sites = mujoco.mjtObj(model.eq_objtype[equality]) == mujoco.mjtObj.mjOBJ_SITE
        bodies = model.site_bodyid[objects] if sites else objects
        return np.logical_or.reduce(moved[bodies])
    if of_type == kind.mjEQ_JOINT:
        return np.isin(model.dof_jntid, objects)
    if of_type == kind.mjEQ_TENDON:
        return np.logical_or.reduce([_of_tendon(model, moved, tendon) for tendon in objects])
    return np.ones(model.nv, bool)


def _has_constraints(model: mujoco.MjModel) -> bool:
    """Whether the constraint solver can have a row: a contact, a limit, friction loss or an equality."""
    constraints = Constraints.of(model)
    friction = (model.dof_frictionloss > 0).any() or (model.tendon_frictionloss > 0).any()
    return bool(friction or model.neq or len(constraints.labels))
