"""Policies, one module each: a policy computes an action from an observation and noise that was drawn in advance.

Each module has a function `make` that takes the expert (or None) and, as keyword arguments, the settings of its row in
`settings.policy_kinds`.
"""

from __future__ import annotations

import importlib

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.simulation.policies.base import Policy


def make_policy(name: str, settings: PolicySettings, expert: Expert | None = None) -> Policy:
    """The policy `name` with its section of `settings`. Only the policy `expert` needs an expert."""
    module = importlib.import_module(f"{__name__}.{name}")
    return module.make(expert, **getattr(settings, name).model_dump())
