"""The kinematic tree of a MuJoCo model."""

from __future__ import annotations

import mujoco
import numpy as np

from dynamic_sparsity.tasks.kinematic_tree import KinematicTree


def kinematic_tree(model: mujoco.MjModel) -> KinematicTree:
    """The tree of degrees of freedom (`dof_parentid`), with the degrees of freedom that each actuator moves at `qpos0`.

    An actuator that moves none there, as a site or body transmission may, is taken to move all of them.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    moments = np.zeros((model.nu, model.nv))
    mujoco.mju_sparse2dense(moments, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind)
    dofs = [(number,) for number in range(model.nv)]
    all_dofs = tuple(range(model.nv))
    driven = [tuple(np.flatnonzero(row).tolist()) or all_dofs for row in moments]
    activations = [driven[u] for u in range(model.nu) for _ in range(max(0, model.actuator_actnum[u]))]
    return KinematicTree(
        parents=tuple(model.dof_parentid.tolist()),
        of_inputs=(*dofs, *dofs, *activations, *driven),
        of_outputs=(*range(model.nv), *range(model.nv), *(driven_dofs[0] for driven_dofs in activations)),
    )
