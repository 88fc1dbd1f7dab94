"""Policies, a module each: a policy turns an observation and pre-drawn noise into an action.

A module has a function `make` that takes the expert, or None, and the settings of its row in `settings.policy_kinds` as
keyword arguments.
"""

from __future__ import annotations

import importlib

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.simulation.policies.base import Policy


def make_policy(name: str, settings: PolicySettings, expert: Expert | None = None) -> Policy:
    """The policy `name` with its section of `settings`; only the policy `expert` needs an expert."""
    module = importlib.import_module(f"{__name__}.{name}")
    return module.make(expert, **getattr(settings, name).model_dump())
