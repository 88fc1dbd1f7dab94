"""Names of the tasks that a study may list, known without importing a simulator."""

from __future__ import annotations

import difflib

from dynamic_sparsity.errors import UserError

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


def known_tasks(names: list[str]) -> list[str]:
    """The names as they are; raises UserError naming the first that is no task, and the nearest that are."""
    if wrong := unknown_task(names):
        raise UserError(wrong)
    return names


def unknown_task(names: list[str]) -> str | None:
    """What is wrong with the first of the names that is no task, if one is not: it, and the nearest that are."""
    for name in names:
        if name not in DM_CONTROL_SUITE:
            near = difflib.get_close_matches(name, DM_CONTROL_SUITE, n=3, cutoff=0.4)
            nearest = (
                f"nearest names: {', '.join(near)} (`dynamic-sparsity tasks` lists all)"
                if near
                else "`dynamic-sparsity tasks` lists all"
            )
            return f"unknown task {name!r}; {nearest}"
    return None
