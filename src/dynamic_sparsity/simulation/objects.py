"""The joints, bodies and objects of a MuJoCo model, and which variables belong to them."""

from __future__ import annotations

import mujoco
import xarray as xr

from dynamic_sparsity.simulation.kinematics import kinematic_tree
from dynamic_sparsity.stores.schema import IN, OUT, labels
from dynamic_sparsity.tasks.objects import LEVELS, VariableGroups, joined


def variable_groups(model: mujoco.MjModel) -> VariableGroups:
    """The groups of all variables of `model`, with MuJoCo's names; bodies and joints without a name are numbered.

    The object of a body is the body nearest to the world, on the path there, that is not welded to the world
    (`body_weldid`). A control belongs to the degrees of freedom that its actuator moves at `qpos0`, and so do its
    activations (`kinematic_tree`).
    """
    dofs = [_names_of_dof(model, dof) for dof in range(model.nv)]
    controls_and_activations = kinematic_tree(model).of_inputs[2 * model.nv :]
    driven = {
        level: tuple(joined(tuple(dofs[dof][level] for dof in moved)) for moved in controls_and_activations)
        for level in LEVELS
    }
    of_dofs = {level: tuple(names[level] for names in dofs) for level in LEVELS}
    inputs = {level: (*of_dofs[level], *of_dofs[level], *driven[level]) for level in LEVELS}
    outputs = {level: names[: 2 * model.nv + model.na] for level, names in inputs.items()}
    return VariableGroups(outputs=outputs, inputs=inputs)


def with_groups(jacobians: xr.Dataset, model: mujoco.MjModel) -> xr.Dataset:
    """`jacobians` of `model` with the coordinates `out_joint`, `out_body`, `out_object` and `in_…` (`variable_groups`)."""
    groups = variable_groups(model)
    of_outputs = {f"out_{level}": (OUT, labels(names)) for level, names in groups.outputs.items()}
    of_inputs = {f"in_{level}": (IN, labels(names)) for level, names in groups.inputs.items()}
    return jacobians.assign_coords({**of_outputs, **of_inputs})


def _names_of_dof(model: mujoco.MjModel, dof: int) -> dict[str, str]:
    """Names of the joint, body and object of a degree of freedom."""
    joint, body = int(model.dof_jntid[dof]), int(model.dof_bodyid[dof])
    moving = body
    while model.body_weldid[parent := int(model.body_parentid[moving])] != 0:
        moving = parent
    return {
        "joint": model.joint(joint).name or f"joint{joint}",
        "body": model.body(body).name or f"body{body}",
        "object": model.body(moving).name or f"body{moving}",
    }
