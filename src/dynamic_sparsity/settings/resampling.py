"""Section `resampling` of config.yaml: how bootstrap intervals are computed."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section, Seed
from dynamic_sparsity.settings.sparsity import SparsityStage


class ResamplingSettings(Section):
    """Bootstrap intervals: whole episodes are resampled within each study seed."""

    resamples: int = Field(1000, ge=10, le=1_000_000, description="Number of bootstrap resamples.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Coverage of the reported intervals, between 0 and 1.")
    seed: Seed = Field(0, description="Bootstrap seed; null models use it too.")


class PooledStage(SparsityStage):
    """Settings of the stages that pool all study seeds: those of the sparsity stage, and how to resample."""

    resampling: ResamplingSettings
