"""Kinematic trees of models, for graph networks."""

import mujoco

from dynamic_sparsity.simulation.kinematics import kinematic_tree
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree

XML = """
<mujoco>
  <worldbody>
    <body><joint name="a"/><geom size="0.1"/>
      <body pos="1 0 0"><joint name="b"/><geom size="0.1"/></body>
      <body pos="-1 0 0"><joint name="c"/><geom size="0.1"/></body>
    </body>
    <body pos="0 0 2"><joint name="d"/><geom size="0.1"/></body>
  </worldbody>
  <tendon><fixed name="both"><joint joint="b" coef="1"/><joint joint="c" coef="-1"/></fixed></tendon>
  <actuator>
    <general name="muscle" joint="d" dyntype="integrator"/>
    <motor name="pull" tendon="both"/>
  </actuator>
</mujoco>
"""


def test_variables_sit_at_their_joints():
    positions = ((0,), (1,), (2,), (3,))
    assert kinematic_tree(mujoco.MjModel.from_xml_string(XML)) == KinematicTree(
        parents=(-1, 0, 0, -1),
        of_inputs=(*positions, *positions, (3,), (3,), (1, 2)),  # positions, velocities, activation, controls
        of_outputs=(0, 1, 2, 3, 0, 1, 2, 3, 3),
    )
