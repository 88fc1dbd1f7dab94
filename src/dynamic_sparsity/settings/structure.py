"""Section `structure` of config.yaml: how it is tested whether entries that are always zero are symmetries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Count, Section, without_repeats
from dynamic_sparsity.settings.jacobians import JacobianStage


class StructureSettings(Section):
    """Finite shifts of every position coordinate, at a sample of the recorded steps."""

    steps: Count = Field(
        32, description="Number of recorded steps that are sampled, evenly spaced over all episodes and study seeds."
    )
    translations: list[Annotated[float, Field(gt=0, le=1000)]] = Field(
        default=[1.0, 10.0],
        min_length=1,
        max_length=10,
        description="Distances, in metres, by which a translation is shifted to either side.",
    )
    rotations: list[Annotated[float, Field(gt=0, le=3.14)]] = Field(
        default=[0.5, 1.0, 3.0],
        min_length=1,
        max_length=10,
        description="Angles, in radians, by which a rotation is shifted to either side.",
    )

    @field_validator("translations", "rotations")
    @classmethod
    def _distinct(cls, values: list[float]) -> list[float]:
        return without_repeats(values)


class StructureStage(JacobianStage):
    """Settings of the stage that tells structure and symmetries from zeros of the data."""

    structure: StructureSettings
