"""Section `rollouts` of config.yaml: how much is simulated."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.policies import PolicySettings


class RolloutSettings(Section):
    """How much is simulated for each task, policy and study seed."""

    episodes: int = Field(4, ge=1, le=100_000, description="Number of episodes per study seed.")
    steps: int = Field(1000, ge=2, le=1_000_000, description="Number of control steps per episode.")


class RolloutStage(Section):
    """Settings of the stage that records rollouts of one policy."""

    policies: PolicySettings
    rollouts: RolloutSettings
