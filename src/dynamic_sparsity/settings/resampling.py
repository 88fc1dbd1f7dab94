"""How intervals are made: the bootstrap of episodes."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section, Seed
from dynamic_sparsity.settings.sparsity import SparsityStage


class ResamplingSettings(Section):
    """Intervals come from resampling episodes within seeds."""

    resamples: int = Field(1000, ge=10, le=1_000_000, description="Bootstrap resamples.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Coverage of the reported intervals.")
    seed: Seed = Field(0, description="Seed of every resampling and of the null model.")


class PooledStage(SparsityStage):
    """What statistics over all seeds depend on: how they resample, as well."""

    resampling: ResamplingSettings
