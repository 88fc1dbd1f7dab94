"""Joints, bodies and objects of models."""

import mujoco
import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.objects import variable_groups, with_groups
from dynamic_sparsity.tasks.objects import LEVELS
from tests.simulation.test_kinematics import XML as TREE

XML = """
<mujoco>
  <worldbody>
    <body name="frame">
      <geom size="0.1"/>
      <body name="arm"><joint name="shoulder"/><geom size="0.1"/>
        <body name="hand" pos="1 0 0"><joint name="wrist"/><geom size="0.1"/>
          <body name="thumb" pos="1 0 0"><geom size="0.1"/></body>
        </body>
      </body>
      <body name="door" pos="0 2 0"><joint name="hinge"/><geom size="0.1"/></body>
    </body>
    <body name="cube" pos="0 0 3"><freejoint/><geom size="0.1"/></body>
  </worldbody>
  <tendon><fixed name="pull"><joint joint="wrist" coef="1"/><joint joint="hinge" coef="-1"/></fixed></tendon>
  <actuator>
    <motor name="m" joint="shoulder"/>
    <general name="muscle" tendon="pull" dyntype="integrator"/>
  </actuator>
</mujoco>
"""


def test_an_object_is_the_outermost_body_that_moves():
    """Bodies on one fixed frame are objects of their own; a body without joints belongs to the one that carries it."""
    groups = variable_groups(mujoco.MjModel.from_xml_string(XML))
    of_dofs = ("arm", "arm", "door", *("cube",) * 6)
    assert groups.outputs["object"] == (*of_dofs, *of_dofs, "arm + door")
    assert groups.inputs["object"] == (*of_dofs, *of_dofs, "arm + door", "arm", "arm + door")
    assert groups.inputs["joint"][:4] == ("shoulder", "wrist", "hinge", "joint3")
    assert groups.inputs["joint"][-3:] == ("wrist + hinge", "shoulder", "wrist + hinge")
    assert groups.inputs["body"][:4] == ("arm", "hand", "door", "cube") and groups.outputs["body"][-1] == "hand + door"


@pytest.mark.parametrize("xml", [XML, TREE])
def test_every_variable_has_groups_and_each_lies_in_one_of_the_next_level(xml):
    model = mujoco.MjModel.from_xml_string(xml)
    groups, coordinates = variable_groups(model), Coordinates.of(model)
    for level in LEVELS:
        assert len(groups.inputs[level]) == len(coordinates.input_labels)
        assert groups.outputs[level] == groups.inputs[level][: len(coordinates.state_labels)]
    for fine, coarse in zip(LEVELS, LEVELS[1:], strict=False):
        pairs = set(zip(groups.inputs[fine], groups.inputs[coarse], strict=True))
        assert len(pairs) == len({name for name, _ in pairs})


def test_jacobians_carry_the_groups_next_to_their_labels():
    model = mujoco.MjModel.from_xml_string(XML)
    coordinates = Coordinates.of(model)
    rows, columns = coordinates.state_labels, coordinates.input_labels
    dims = ("out_dim", "in_dim")
    jacobians = with_groups(
        xr.Dataset({"jacobian": (dims, np.zeros((len(rows), len(columns))))}, {"out_dim": rows, "in_dim": columns}), model
    )
    assert jacobians.in_object.sel(in_dim="ctrl:m").item() == "arm"
    assert jacobians.out_joint.sel(out_dim="qvel:hinge").item() == "hinge"
    assert jacobians.out_body.sel(out_dim="act:muscle").item() == "hand + door"
    of_cube = jacobians.jacobian[{"out_dim": jacobians.out_object.values == "cube"}]
    assert of_cube.out_dim.values.tolist()[:2] == ["qpos:joint3:tx", "qpos:joint3:ty"] and of_cube.sizes["out_dim"] == 12
