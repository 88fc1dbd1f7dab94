"""How patterns over time are summarised: lags, listed patterns, the null model."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.resampling import PooledStage


class TemporalSettings(Section):
    """How the temporal structure of patterns is summarised."""

    max_lag: int = Field(100, ge=1, le=100_000, description="Largest lag of the autocorrelation, in control steps.")
    max_patterns: int = Field(
        20, ge=1, le=100_000, description="How many of the most frequent patterns the tables list, each with its followers."
    )
    shifts: int = Field(1000, ge=10, le=1_000_000, description="Random circular shifts of the events (null model).")


class TemporalStage(PooledStage):
    """What patterns depend on."""

    temporal: TemporalSettings
