"""When an entry counts as zero."""

from __future__ import annotations

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Section, Threshold, without_repeats
from dynamic_sparsity.settings.jacobians import JacobianStage


class SparsitySettings(Section):
    """When an entry counts as zero."""

    threshold: Threshold = Field(1e-12, description="An entry is zero when its magnitude is below this (absolute).")
    sweep: list[Threshold] = Field(
        default=[1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Thresholds at which sparsity is reported as well.",
        min_length=1,
        max_length=100,
    )

    @field_validator("sweep")
    @classmethod
    def _distinct(cls, sweep: list[float]) -> list[float]:
        return without_repeats(sweep)

    @property
    def thresholds(self) -> list[float]:
        """The sweep with the main threshold in it, in ascending order."""
        return sorted({*self.sweep, self.threshold})


class SparsityStage(JacobianStage):
    """What zeros depend on."""

    sparsity: SparsitySettings
