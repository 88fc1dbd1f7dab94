"""The kinematic tree of a MuJoCo model."""

from __future__ import annotations

import mujoco
import numpy as np

from dynamic_sparsity.tasks.kinematic_tree import KinematicTree


def kinematic_tree(model: mujoco.MjModel) -> KinematicTree:
    """Degrees of freedom with their parents (`dof_parentid`), and which ones each actuator moves at `qpos0`.

    An actuator that moves none there (a site's or body's transmission may not) counts for all of them.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    moments = np.zeros((model.nu, model.nv))
    mujoco.mju_sparse2dense(moments, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind)
    dofs = [(number,) for number in range(model.nv)]
    everywhere = tuple(range(model.nv))
    driven = [tuple(np.flatnonzero(row).tolist()) or everywhere for row in moments]
    activations = [driven[u] for u in range(model.nu) for _ in range(max(0, model.actuator_actnum[u]))]
    return KinematicTree(
        parents=tuple(model.dof_parentid.tolist()),
        of_inputs=(*dofs, *dofs, *activations, *driven),
        of_outputs=(*range(model.nv), *range(model.nv), *(found[0] for found in activations)),
    )
