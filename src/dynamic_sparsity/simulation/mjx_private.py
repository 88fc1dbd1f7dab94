"""The private modules of MJX that are used here: nothing else imports from `mujoco.mjx._src`.

`mujoco.mjx` exports the step as a whole. Derivatives need its stages one by one, the constraint solver's context and the
pairs of geoms that it collides. When a version of MJX moves one of these, this is where to look.
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
