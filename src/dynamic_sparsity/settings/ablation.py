"""Other ways to differentiate."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from dynamic_sparsity.settings.base import Section, Threshold, without_repeats
from dynamic_sparsity.settings.jacobians import Variant
from dynamic_sparsity.settings.policies import PolicyName
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.rollouts import RolloutStage
from dynamic_sparsity.settings.tasks import TaskNames

REFERENCE, CONVERGED_REFERENCE = "differences", "differences-converged"
"""What ways to differentiate are held against: the truth of the step, and of that with the converged solver."""

ROUGH = 1e-3
"""A step is rough where central differences of two widths are further apart than this share of the largest entry."""


class AblationSettings(Section):
    """How much the result depends on how a step is differentiated."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "WalkerRun", "BallInCup"],
        description="Tasks of the study to differentiate in other ways as well; others here are skipped.",
    )
    policies: list[PolicyName] = Field(
        default=["expert", "noise"], description="Policies of the study whose steps these are; others here are skipped."
    )
    variants: list[Variant] = Field(
        default=["exact", "unrolled", "implicit", "finite"],
        description="Ways to differentiate that are compared with `differences`: a method (exact, unrolled, implicit,"
        " finite), -converged for the converged solver, -float32 for single precision.",
        min_length=1,
    )
    seeds: int | None = Field(1, ge=1, description="In how many of the seeds, the first ones; null: in all.")
    steps: int | None = Field(
        30, ge=1, description="Steps of each episode, at even distances: each costs four steps of the simulator per input."
    )
    thresholds: list[Threshold] = Field(
        default=[1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Thresholds at which zeros are compared.",
        min_length=1,
        max_length=100,
    )

    @field_validator("policies", "variants", "thresholds")
    @classmethod
    def _distinct(cls, values: list[Any]) -> list[Any]:
        return without_repeats(values)

    @model_validator(mode="after")
    def _something_to_compare(self) -> AblationSettings:
        if not set(self.variants) - {REFERENCE, CONVERGED_REFERENCE}:
            raise ValueError(
                f"variants = {self.variants} leaves nothing to hold against {REFERENCE!r}: add 'exact', or list no tasks"
            )
        return self

    @property
    def of_jacobians(self) -> AblationSettings:
        """What the Jacobians depend on: not the thresholds at which they are compared."""
        return self.model_copy(update={"thresholds": AblationSettings().thresholds})

    @property
    def ways(self) -> list[str]:
        """All ways to differentiate, what they are held against first."""
        converged = [CONVERGED_REFERENCE] if any("-converged" in way for way in self.variants) else []
        return list(dict.fromkeys([REFERENCE, *converged, *self.variants]))


class AblationJacobianStage(RolloutStage):
    """What the Jacobians of a sample of steps by all ways to differentiate depend on."""

    ablation: AblationSettings


class AblationStage(AblationJacobianStage):
    """What the comparison of ways to differentiate depends on."""

    resampling: ResamplingSettings
