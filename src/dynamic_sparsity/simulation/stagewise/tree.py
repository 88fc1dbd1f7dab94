"""Which degrees of freedom move which bodies and axes in a kinematic tree; constants of a model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np


@dataclass(frozen=True)
class Tree:
    """Masks of the kinematic tree. A ball joint is one group of three dofs, a free joint two groups of three."""

    body_moved: np.ndarray
    """[body, dof]: the dof moves the body."""
    axis_moved: np.ndarray
    """[dof, dof]: the second dof moves the axis of the first or belongs to its group."""
    before: np.ndarray
    """[dof, dof]: the second dof moves the axis of the first and belongs to an earlier group."""
    subtree: np.ndarray
    """[body, body]: the second body is the first one or a descendant of it."""
    body_of: np.ndarray
    """[dof]: the dof's body."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Tree:
        """The masks of a model."""
        subtree = np.eye(model.nbody, dtype=bool)
        body_moved = np.zeros((model.nbody, model.nv), bool)
        for body in range(1, model.nbody):
            parent = model.body_parentid[body]
            subtree[:, body] |= subtree[:, parent]
            body_moved[body] = body_moved[parent]
            first = model.body_dofadr[body]
            body_moved[body, first : first + model.body_dofnum[body]] = True
        groups = _groups(model)
        on_path = body_moved[model.dof_bodyid] if model.nv else np.zeros((0, 0), bool)
        return cls(
            body_moved=body_moved,
            axis_moved=on_path & (groups[None] <= groups[:, None]),
            before=on_path & (groups[None] < groups[:, None]),
            subtree=subtree,
            body_of=model.dof_bodyid.copy(),
        )

    @cached_property
    def below(self) -> np.ndarray:
        """[body, dof]: the body is that of the dof or a descendant of it."""
        return self.subtree[self.body_of].T


def _groups(model: mujoco.MjModel) -> np.ndarray:
    """The number of each dof's group; numbers grow along every path from the root."""
    groups = np.zeros(model.nv, int)
    number = 0
    for joint in range(model.njnt):
        first, kind = model.jnt_dofadr[joint], model.jnt_type[joint]
        widths = {mujoco.mjtJoint.mjJNT_FREE: (3, 3), mujoco.mjtJoint.mjJNT_BALL: (3,)}.get(mujoco.mjtJoint(kind), (1,))
        for width in widths:
            groups[first : first + width] = number
            first, number = first + width, number + 1
    return groups
