"""Playground's tasks, one row each: the registry name and the sizes of the model. No simulator is imported.

The sizes determine the resources that jobs request. docs/extending.md shows how to add a task.
"""

from __future__ import annotations

from typing import NamedTuple


class TaskSize(NamedTuple):
    """MuJoCo's sizes of a model, and the number of physics steps in a control step."""

    nv: int
    na: int
    nu: int
    substeps: int
    orientations: bool = False
    """Whether the model has free or ball joints, whose orientations world models cannot predict yet."""

    @property
    def outputs(self) -> int:
        """Number of state coordinates: position tangent, velocity, activations."""
        return 2 * self.nv + self.na

    @property
    def inputs(self) -> int:
        """Number of coordinates of state and controls together."""
        return self.outputs + self.nu

    @property
    def entries(self) -> int:
        """Number of entries of a transition's Jacobian."""
        return self.outputs * self.inputs


DM_CONTROL_SUITE = {
    "AcrobotSwingup": TaskSize(2, 0, 1, 1),
    "AcrobotSwingupSparse": TaskSize(2, 0, 1, 1),
    "BallInCup": TaskSize(4, 0, 2, 10),
    "CartpoleBalance": TaskSize(2, 0, 1, 1),
    "CartpoleBalanceSparse": TaskSize(2, 0, 1, 1),
    "CartpoleSwingup": TaskSize(2, 0, 1, 1),
    "CartpoleSwingupSparse": TaskSize(2, 0, 1, 1),
    "CheetahRun": TaskSize(9, 0, 6, 1),
    "FingerSpin": TaskSize(3, 0, 2, 4),
    "FingerTurnEasy": TaskSize(3, 0, 2, 4),
    "FingerTurnHard": TaskSize(3, 0, 2, 4),
    "FishSwim": TaskSize(13, 0, 5, 20, orientations=True),
    "HopperHop": TaskSize(7, 0, 4, 4),
    "HopperStand": TaskSize(7, 0, 4, 4),
    "HumanoidRun": TaskSize(27, 0, 21, 5, orientations=True),
    "HumanoidStand": TaskSize(27, 0, 21, 5, orientations=True),
    "HumanoidWalk": TaskSize(27, 0, 21, 5, orientations=True),
    "PendulumSwingup": TaskSize(1, 0, 1, 2),
    "PointMass": TaskSize(2, 0, 2, 1),
    "ReacherEasy": TaskSize(2, 0, 2, 4),
    "ReacherHard": TaskSize(2, 0, 2, 4),
    "SwimmerSwimmer6": TaskSize(8, 0, 5, 10),
    "WalkerRun": TaskSize(9, 0, 6, 10),
    "WalkerStand": TaskSize(9, 0, 6, 10),
    "WalkerWalk": TaskSize(9, 0, 6, 10),
}
"""The 25 DeepMind Control Suite tasks of MuJoCo Playground 0.2.0, which a study may list. A test compares these sizes
with the models."""

LOCOMOTION_AND_MANIPULATION = {
    "AeroCubeRotateZAxis": TaskSize(22, 0, 7, 5),
    "AlohaHandOver": TaskSize(22, 0, 14, 4),
    "AlohaSinglePegInsertion": TaskSize(28, 0, 14, 1),
    "ApolloJoystickFlatTerrain": TaskSize(38, 0, 32, 4),
    "BarkourJoystick": TaskSize(18, 0, 12, 5),
    "BerkeleyHumanoidJoystickFlatTerrain": TaskSize(18, 0, 12, 10),
    "BerkeleyHumanoidJoystickRoughTerrain": TaskSize(18, 0, 12, 10),
    "G1JoystickFlatTerrain": TaskSize(35, 0, 29, 10),
    "G1JoystickRoughTerrain": TaskSize(35, 0, 29, 10),
    "Go1Footstand": TaskSize(18, 0, 12, 5),
    "Go1Getup": TaskSize(18, 0, 12, 5),
    "Go1Handstand": TaskSize(18, 0, 12, 5),
    "Go1JoystickFlatTerrain": TaskSize(18, 0, 12, 5),
    "Go1JoystickRoughTerrain": TaskSize(18, 0, 12, 5),
    "H1InplaceGaitTracking": TaskSize(25, 0, 19, 5),
    "H1JoystickGaitTracking": TaskSize(25, 0, 19, 5),
    "LeapCubeReorient": TaskSize(22, 0, 16, 5),
    "LeapCubeRotateZAxis": TaskSize(22, 0, 16, 5),
    "Op3Joystick": TaskSize(26, 0, 20, 5),
    "PandaOpenCabinet": TaskSize(10, 0, 8, 4),
    "PandaPickCube": TaskSize(15, 0, 8, 4),
    "PandaPickCubeCartesian": TaskSize(15, 0, 8, 10),
    "PandaPickCubeOrientation": TaskSize(15, 0, 8, 4),
    "PandaRobotiqPushCube": TaskSize(19, 0, 8, 1),
    "SpotFlatTerrainJoystick": TaskSize(18, 0, 12, 5),
    "SpotGetup": TaskSize(18, 0, 12, 5),
    "SpotJoystickGaitTracking": TaskSize(18, 0, 12, 5),
    "T1JoystickFlatTerrain": TaskSize(29, 0, 23, 10),
    "T1JoystickRoughTerrain": TaskSize(29, 0, 23, 10),
}
"""Playground's other tasks, for estimates of cost only (docs/scaling.md). Sizes are read from version 0.2.0 with the
models of MuJoCo Menagerie."""

ALL = DM_CONTROL_SUITE | LOCOMOTION_AND_MANIPULATION
