"""The constraints of a model that can become active, and which of them are active in a physics step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Bool
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import ConstraintType, collision_driver, constraint
from dynamic_sparsity.simulation.substep import has_converged

CONTACT, JOINT_LIMIT, TENDON_LIMIT = "contact", "joint_limit", "tendon_limit"
KINDS = (CONTACT, JOINT_LIMIT, TENDON_LIMIT)


@dataclass(frozen=True)
class Constraints:
    """The inequality constraints of a model: contacts by geom pair, joint limits, tendon limits.

    Contacts are identified by geom pair and not by contact slot: MJX reuses slots for the nearest pairs
    (`max_contact_points`).
    """

    pairs: np.ndarray
    """Ids of the geoms of each pair that may collide, [pair, 2]."""
    joint_limits: tuple[str, ...]
    tendon_limits: tuple[str, ...]
    pair_names: tuple[str, ...]

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Constraints:
        """Constraints that MJX may activate for this model; constraints that the model disables are left out."""
        off = model.opt.disableflags
        limits = not off & (mujoco.mjtDisableBit.mjDSBL_LIMIT | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
        contacts = not off & (mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
        pairs = [(int(a), int(b)) for a, b, _ in collision_driver.geom_pairs(model)] if contacts else []
        ball = [j for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_BALL]
        in_row_order = [*ball, *(j for j in range(model.njnt) if j not in ball)]  # MJX puts ball joints first
        return cls(
            pairs=np.array(pairs, dtype=np.int32).reshape(-1, 2),
            joint_limits=tuple(model.joint(j).name or f"joint{j}" for j in in_row_order if limits and model.jnt_limited[j]),
            tendon_limits=tuple(
                model.tendon(t).name or f"tendon{t}" for t in range(model.ntendon) if limits and model.tendon_limited[t]
            ),
            pair_names=tuple(f"{_geom_name(model, a)}/{_geom_name(model, b)}" for a, b in pairs),
        )

    @property
    def labels(self) -> list[str]:
        """Labels such as `contact:floor/ffoot`, `joint_limit:bthigh`, `tendon_limit:string`."""
        return [
            *(f"{CONTACT}:{name}" for name in self.pair_names),
            *(f"{JOINT_LIMIT}:{name}" for name in self.joint_limits),
            *(f"{TENDON_LIMIT}:{name}" for name in self.tendon_limits),
        ]

    @property
    def kinds(self) -> list[str]:
        """The kind of each constraint, one of KINDS."""
        return [label.partition(":")[0] for label in self.labels]

    def activity(self, model: mjx.Model, data: mjx.Data) -> Activity:
        """What each constraint does in the physics step that `data` has just gone through.

        A contact is active when its distance is below the inclusion margin. A limit is active when its constraint row
        is not zero: MJX switches rows off by setting them to zero (`mjx/_src/constraint.py`).
        """
        contact, rows = data._impl.contact, data._impl.efc_J
        types = constraint.make_efc_type(model, contact.dim)
        touching = contact.dist < contact.includemargin
        pushing = data._impl.efc_force != 0 if rows.size else jnp.zeros(0, bool)
        active, loaded = [], []
        if len(self.pairs):
            slot_loaded = jnp.stack([pushing[slot].any() for slot in _contact_rows(model, contact.dim, types)])
            is_pair = (contact.geom[:, None, :] == jnp.asarray(self.pairs)[None]).all(-1)
            active.append((is_pair & touching[:, None]).any(0))
            loaded.append((is_pair & (touching & slot_loaded)[:, None]).any(0))
        for kind, names in (
            (ConstraintType.LIMIT_JOINT, self.joint_limits),
            (ConstraintType.LIMIT_TENDON, self.tendon_limits),
        ):
            if names:
                at = np.flatnonzero(types == kind)
                active.append((rows[at] != 0).any(-1))
                loaded.append(active[-1] & pushing[at])
        nothing = jnp.zeros((0,), bool)
        converged = has_converged(model, data)
        return Activity(jnp.concatenate([nothing, *active]), jnp.concatenate([nothing, *loaded]), converged)


class Activity(NamedTuple):
    """What each constraint does, and whether the constraint solver converged."""

    active: Bool[Any, "*batch constraint"]
    """The constraint takes part in the solver: the contact is closed, the limit is reached."""
    loaded: Bool[Any, "*batch constraint"]
    """The constraint carries a force. An active constraint whose two sides separate fast enough carries none."""
    converged: Bool[Any, "*batch"]
    """The constraint solver ended within its tolerance (`substep.has_converged`)."""

    def of_substeps(self) -> Activity:
        """Reduces the first axis, substeps: active or loaded in any substep, converged in all of them."""
        return Activity(self.active.any(0), self.loaded.any(0), self.converged.all(0))


def _contact_rows(model: mjx.Model, dim: np.ndarray, types: np.ndarray) -> list[slice]:
    """The constraint rows of each contact slot."""
    pyramidal = model.opt.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL
    sizes = np.where(dim == 1, 1, 2 * (dim - 1) if pyramidal else dim)
    first = constraint.make_efc_address(model, dim, types)
    return [slice(int(at), int(at + size)) for at, size in zip(first, sizes, strict=True)]


def _geom_name(model: mujoco.MjModel, geom: int) -> str:
    """The geom's name, or `body.number` for a geom without one."""
    if name := model.geom(geom).name:
        return name
    body = model.geom_bodyid[geom]
    return f"{model.body(body).name or f'body{body}'}.{geom - model.body_geomadr[body]}"
