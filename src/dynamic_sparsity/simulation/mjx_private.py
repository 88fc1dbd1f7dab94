"""The private modules of MJX that this package uses; no other module imports from `mujoco.mjx._src`.

`mujoco.mjx` exports the step only as a whole. Derivatives need its separate stages, the constraint solver's context and
the pairs of geoms that MJX collides. If a new version of MJX moves one of these, only this file changes.
"""

from mujoco.mjx._src import (
    collision_driver,
    constraint,
    derivative,
    forward,
    math,
    passive,
    smooth,
    solver,
    support,
)
from mujoco.mjx._src.types import (
    BiasType,
    ConeType,
    ConstraintType,
    DisableBit,
    GainType,
    IntegratorType,
    SolverType,
)

__all__ = [
    "BiasType",
    "ConeType",
    "ConstraintType",
    "DisableBit",
    "GainType",
    "IntegratorType",
    "SolverType",
    "collision_driver",
    "constraint",
    "derivative",
    "forward",
    "math",
    "passive",
    "smooth",
    "solver",
    "support",
]
