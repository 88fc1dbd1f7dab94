"""Section `interventions` of config.yaml: steps that are repeated with one input moved."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Section, without_repeats
from dynamic_sparsity.settings.resampling import PooledStage

REFERENCE = 1e-6
"""Size of the reference move, in standard deviations: so small that the derivative must predict its effect."""

Move = Annotated[float, Field(ge=1e-3, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]


class InterventionSettings(Section):
    """Whether an input with a zero derivative has no influence: steps are repeated with one input moved."""

    steps: int = Field(
        64,
        ge=1,
        le=1_000_000,
        description="Number of steps sampled for each task and policy, evenly spaced over all of its episodes. Each of them"
        " is repeated eight times per input with three moves.",
    )
    moves: list[Move] = Field(
        default=[0.1, 0.5, 1.0],
        description="Sizes of the moves, in standard deviations of the input over the recorded steps; each in both"
        " directions.",
        min_length=1,
        max_length=20,
    )
    rounding: Share = Field(
        1e-9,
        description="A change of an output counts if it exceeds this share of 1 + |output|; smaller ones may be rounding.",
    )
    weak: list[Share] = Field(
        default=[1e-6, 1e-3, 1e-2],
        description="A non-zero entry counts as weak if moving its input by one standard deviation moves its output by less"
        " than this share of the output's standard deviation.",
        min_length=1,
        max_length=20,
    )

    @field_validator("moves", "weak")
    @classmethod
    def _ascending(cls, values: list[float]) -> list[float]:
        return sorted(without_repeats(values))

    @property
    def sizes(self) -> list[float]:
        """The reference move and the moves, in ascending order."""
        return [REFERENCE, *self.moves]


class InterventionStage(PooledStage):
    """Settings of the stage that repeats steps with one input moved."""

    interventions: InterventionSettings
