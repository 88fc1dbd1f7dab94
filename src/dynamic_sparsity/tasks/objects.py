"""Which joint, body and object each variable of a model belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("joint", "body", "object")
"""Ways to group variables, from fine to coarse. Every group lies in one group of the next level."""

SEVERAL = " + "
"""Stands between the names of groups that an actuator drives together."""


@dataclass(frozen=True)
class VariableGroups:
    """The groups of the variables of one model, by level, in the order of the Jacobian's labels.

    An object is a body that moves on its own, with all bodies that it carries; it has MuJoCo's name of that body. An
    activation or a control belongs to what its actuator drives; if it drives several groups of a level, their names are
    joined: `left + right`.
    """

    outputs: Mapping[str, tuple[str, ...]]
    """Group of every next-state variable."""
    inputs: Mapping[str, tuple[str, ...]]
    """Group of every input variable: those of the state, then the controls."""


def joined(names: tuple[str, ...]) -> str:
    """Name of a group of several groups, each named once."""
    return SEVERAL.join(dict.fromkeys(names))
