"""Section `horizons` of config.yaml: over how many steps Jacobians are multiplied, and from how many start steps."""

from __future__ import annotations

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Count, Section
from dynamic_sparsity.settings.resampling import PooledStage


class HorizonSettings(Section):
    """Over how many steps the Jacobians of consecutive steps are multiplied, and from how many start steps."""

    steps: list[Count] = Field(
        default=[1, 2, 5, 10, 20, 50, 100],
        description="Horizons, in control steps, at which the zeros of the products are kept entry by entry, in ascending"
        " order. Products run up to the last one.",
        min_length=1,
        max_length=100,
    )
    starts: int = Field(
        50, ge=1, le=100_000, description="Number of steps of each episode, evenly spaced, from which products start."
    )

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: list[int]) -> list[int]:
        if steps != sorted(set(steps)):
            raise ValueError(f"{steps} should be in ascending order, without repeats")
        if steps[-1] > 10_000:
            raise ValueError(f"{steps[-1]} is too long: products run over at most 10000 steps")
        return steps


class HorizonStage(PooledStage):
    """Settings of the stage that multiplies Jacobians along episodes."""

    horizons: HorizonSettings
