"""Kinds of policies, one row each: the name in config.yaml, how the policy acts, and its settings.

The function `make` of the module of the same name in `dynamic_sparsity.simulation.policies` builds the policy.
docs/extending.md shows how to add a kind. The order of rows matters: the first policy that acts in a task is the one with
which the others are compared. Names have no underscore, because underscores join the names of several policies in a path
(`expert_noise`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field


@dataclass(frozen=True)
class PolicyKind:
    """A kind of policy."""

    description: str
    """How the policy acts, in one sentence."""
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Its section of config.yaml: the type and pydantic `Field` of each keyword argument of its `make`."""
    still: bool = False
    """Whether the policy never changes the controls, so that nothing can be learnt from its episodes alone."""


_BETA = Field(0.5, ge=0, le=4, description="Exponent of the noise's power spectrum 1/f^beta; 0: white noise.")
_SCALE = Field(0.5, gt=0, le=100, description="Standard deviation of the noise, in units of half the control range.")

POLICY_KINDS = {
    "noise": PolicyKind(
        "Coloured Gaussian noise in action space, clipped to the control range.",
        {"beta": (float, _BETA), "scale": (float, _SCALE)},
    ),
    "zero": PolicyKind("Zero controls: the passive system.", still=True),
}
"""All kinds except `expert`, which has settings for its files and its training (`settings.policies.ExpertPolicy`)."""
