"""Section `temporal` of config.yaml: how the temporal structure of patterns is summarised."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.resampling import PooledStage


class TemporalSettings(Section):
    """How the temporal structure of patterns is summarised."""

    max_lag: int = Field(100, ge=1, le=100_000, description="Largest lag of the autocorrelation, in control steps.")
    max_patterns: int = Field(
        20,
        ge=1,
        le=100_000,
        description="Number of the most frequent patterns that tables list, each with the patterns that follow it.",
    )
    shifts: int = Field(
        1000, ge=10, le=1_000_000, description="Number of draws from each null model of the temporal structure."
    )


class TemporalStage(PooledStage):
    """Settings of the stage that summarises patterns."""

    temporal: TemporalSettings
