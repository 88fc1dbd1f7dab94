"""Kinds of policies, a row each: the name in config.yaml, how the policy acts, its settings.

The module of the same name in `dynamic_sparsity.simulation.policies` makes it, by `make`. docs/extending.md shows how to add
one. Names have no underscore: it joins the policies of a path (`expert_noise`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field


@dataclass(frozen=True)
class PolicyKind:
    """A way to act."""

    description: str
    """How it acts, in one sentence."""
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Its section of config.yaml: type and pydantic `Field` of each keyword argument of its `make`."""
    still: bool = False
    """Whether it never changes the controls: nothing can be learnt from its episodes alone."""


_BETA = Field(0.5, ge=0, le=4, description="Exponent of the power spectrum 1/f^beta; 0 is white noise.")
_SCALE = Field(0.5, gt=0, le=100, description="Standard deviation, in units of half the control range.")

POLICY_KINDS = {
    "noise": PolicyKind(
        "Clipped coloured Gaussian noise in action space, whatever the observation.",
        {"beta": (float, _BETA), "scale": (float, _SCALE)},
    ),
    "zero": PolicyKind("Zero controls: the passive system.", still=True),
}
"""All but `expert`, whose files and training have settings of their own (`settings.policies.ExpertPolicy`)."""
