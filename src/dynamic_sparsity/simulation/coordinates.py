"""Tangent coordinates of a MuJoCo state: their names, and the linear maps between the tangent and qpos.

State = (position tangent: nv, qvel: nv, act: na); input = (state, ctrl: nu). For slide and hinge joints the tangent is
qpos itself. A quaternion q has three local rotation coordinates w with dq = q * (0, w) / 2, as in
`mj_integratePos` and `mj_differentiatePos` (MuJoCo, Programming, "Simulation state"; Sola 2017, arXiv 1711.02508).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import mujoco
from jaxtyping import Array, Float

_SUFFIXES = {
    mujoco.mjtJoint.mjJNT_FREE: (":tx", ":ty", ":tz", ":rx", ":ry", ":rz"),
    mujoco.mjtJoint.mjJNT_BALL: (":rx", ":ry", ":rz"),
    mujoco.mjtJoint.mjJNT_SLIDE: ("",),
    mujoco.mjtJoint.mjJNT_HINGE: ("",),
}
_QPOS_SUFFIXES = {
    **_SUFFIXES,
    mujoco.mjtJoint.mjJNT_FREE: (":x", ":y", ":z", ":qw", ":qx", ":qy", ":qz"),
    mujoco.mjtJoint.mjJNT_BALL: (":qw", ":qx", ":qy", ":qz"),
}


@dataclass(frozen=True)
class Coordinates:
    """Names of the coordinates of one model, in MuJoCo's order."""

    dofs: tuple[str, ...]
    """Names of the nv degrees of freedom."""
    qpos: tuple[str, ...]
    """Names of the nq elements of qpos."""
    activations: tuple[str, ...]
    """Names of the na activation variables."""
    actuators: tuple[str, ...]
    """Names of the nu actuators."""
    mocap: tuple[str, ...]
    """Names of the mocap bodies, which the task itself places (targets), in the order of `mocap_pos`."""
    quaternions: tuple[tuple[int, int], ...]
    """(address in qpos, address in the tangent) of every quaternion."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Coordinates:
        """The coordinates of `model`; joints and actuators without a name are numbered."""
        joints = [(model.joint(j).name or f"joint{j}", mujoco.mjtJoint(model.jnt_type[j])) for j in range(model.njnt)]
        actuators = tuple(model.actuator(u).name or f"actuator{u}" for u in range(model.nu))
        activations = [
            name if model.actuator_actnum[u] == 1 else f"{name}:{k}"
            for u, name in enumerate(actuators)
            for k in range(max(0, model.actuator_actnum[u]))
        ]
        mocap = {int(model.body_mocapid[b]): model.body(b).name or f"body{b}" for b in range(model.nbody)}
        return cls(
            dofs=tuple(name + suffix for name, kind in joints for suffix in _SUFFIXES[kind]),
            qpos=tuple(name + suffix for name, kind in joints for suffix in _QPOS_SUFFIXES[kind]),
            activations=tuple(activations),
            actuators=actuators,
            mocap=tuple(mocap[number] for number in range(model.nmocap)),
            quaternions=tuple(_quaternion_addresses(model)),
        )

    @property
    def state_labels(self) -> list[str]:
        """Labels of the state, the rows of the Jacobian: `qpos:…`, `qvel:…`, `act:…`."""
        return [
            *(f"qpos:{name}" for name in self.dofs),
            *(f"qvel:{name}" for name in self.dofs),
            *(f"act:{name}" for name in self.activations),
        ]

    @property
    def input_labels(self) -> list[str]:
        """Labels of the input, the columns of the Jacobian: the state's labels, then `ctrl:…`."""
        return [*self.state_labels, *(f"ctrl:{name}" for name in self.actuators)]

    def moved(self, qpos: Float[Array, " nq"], tangent: Float[Array, " nv"]) -> Float[Array, " nq"]:
        """`qpos` moved along `tangent`, exact to first order at tangent 0, which is all that a derivative needs."""
        if not self.quaternions:
            return qpos + tangent
        pieces, at_qpos, at_dof = [], 0, 0
        for quat, rotation in self.quaternions:
            pieces.append(qpos[at_qpos:quat] + tangent[at_dof:rotation])
            zero = jnp.zeros_like(tangent[:1])
            half_turn = jnp.concatenate([zero, tangent[rotation : rotation + 3]]) / 2
            pieces.append(qpos[quat : quat + 4] + _quaternion_product(qpos[quat : quat + 4], half_turn))
            at_qpos, at_dof = quat + 4, rotation + 3
        pieces.append(qpos[at_qpos:] + tangent[at_dof:])
        return jnp.concatenate(pieces)

    def difference(self, qpos: Float[Array, " nq"], origin: Float[Array, " nq"]) -> Float[Array, " nv"]:
        """The tangent that leads from `origin` to a nearby `qpos`, exact to first order."""
        if not self.quaternions:
            return qpos - origin
        pieces, at = [], 0
        for quat, _ in self.quaternions:
            pieces.append(qpos[at:quat] - origin[at:quat])
            start = origin[quat : quat + 4]
            conjugate = start * jnp.array([1.0, -1.0, -1.0, -1.0], start.dtype) / jnp.sum(start * start)
            pieces.append(2 * _quaternion_product(conjugate, qpos[quat : quat + 4])[1:])
            at = quat + 4
        pieces.append(qpos[at:] - origin[at:])
        return jnp.concatenate(pieces)


def _quaternion_addresses(model: mujoco.MjModel) -> list[tuple[int, int]]:
    """(address in qpos, address in the tangent) of the quaternion of every free and ball joint."""
    offsets = {mujoco.mjtJoint.mjJNT_FREE: 3, mujoco.mjtJoint.mjJNT_BALL: 0}
    return [
        (int(model.jnt_qposadr[j]) + offsets[kind], int(model.jnt_dofadr[j]) + offsets[kind])
        for j in range(model.njnt)
        if (kind := mujoco.mjtJoint(model.jnt_type[j])) in offsets
    ]


def _quaternion_product(left: Float[jax.Array, " 4"], right: Float[jax.Array, " 4"]) -> Float[jax.Array, " 4"]:
    """The Hamilton product of two quaternions (w, x, y, z)."""
    w, x, y, z = left
    matrix = jnp.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return matrix @ right
