"""Section `sparsity` of config.yaml: when an entry of the Jacobian counts as zero."""

from __future__ import annotations

from pydantic import Field, field_validator

from dynamic_sparsity.settings.base import Section, Threshold, without_repeats
from dynamic_sparsity.settings.jacobians import JacobianStage


class SparsitySettings(Section):
    """When an entry of the Jacobian counts as zero."""

    threshold: Threshold = Field(
        1e-12, description="An entry counts as zero when its magnitude is below this absolute threshold."
    )
    sweep: list[Threshold] = Field(
        default=[1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Further thresholds at which sparsity is reported.",
        min_length=1,
        max_length=100,
    )

    @field_validator("sweep")
    @classmethod
    def _distinct(cls, sweep: list[float]) -> list[float]:
        return without_repeats(sweep)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds of the sweep and the main threshold, in ascending order."""
        return sorted({*self.sweep, self.threshold})


class SparsityStage(JacobianStage):
    """Settings of the stage that finds zeros."""

    sparsity: SparsitySettings
