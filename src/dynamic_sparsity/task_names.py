"""Names of the tasks that a study may list, known without importing a simulator."""

DM_CONTROL_SUITE = (
    "AcrobotSwingup",
    "AcrobotSwingupSparse",
    "BallInCup",
    "CartpoleBalance",
    "CartpoleBalanceSparse",
    "CartpoleSwingup",
    "CartpoleSwingupSparse",
    "CheetahRun",
    "FingerSpin",
    "FingerTurnEasy",
    "FingerTurnHard",
    "FishSwim",
    "HopperHop",
    "HopperStand",
    "HumanoidRun",
    "HumanoidStand",
    "HumanoidWalk",
    "PendulumSwingup",
    "PointMass",
    "ReacherEasy",
    "ReacherHard",
    "SwimmerSwimmer6",
    "WalkerRun",
    "WalkerStand",
    "WalkerWalk",
)
"""The 25 DeepMind Control Suite tasks of MuJoCo Playground 0.2.0, by registry name (a test compares them)."""

WITH_ORIENTATIONS = frozenset({"FishSwim", "HumanoidRun", "HumanoidStand", "HumanoidWalk"})
"""Those of them with free or ball joints, whose orientations world models do not know yet (a test compares them)."""
