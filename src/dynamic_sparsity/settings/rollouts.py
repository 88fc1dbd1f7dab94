"""How much is simulated."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.policies import PolicySettings


class RolloutSettings(Section):
    """How much is simulated for each (task, policy, seed)."""

    episodes: int = Field(4, ge=1, le=100_000, description="Episodes per seed.")
    steps: int = Field(1000, ge=2, le=1_000_000, description="Control steps per episode.")


class RolloutStage(Section):
    """What the rollouts of one policy depend on."""

    policies: PolicySettings
    rollouts: RolloutSettings
