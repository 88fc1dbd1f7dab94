"""Section `ablation` of config.yaml: other ways to differentiate a step."""

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
"""Variants that the others are compared with: central differences of the step, without and with the converged
solver."""

ROUGH = 1e-3
"""A step is rough if central differences of two widths differ by more than this share of the largest entry."""


class AblationSettings(Section):
    """How much the result depends on how a step is differentiated, from a sample of steps."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "WalkerRun", "BallInCup"],
        description="Tasks whose steps are differentiated in several ways; tasks that the study does not list are skipped.",
    )
    policies: list[PolicyName] = Field(
        default=["expert", "noise"],
        description="Policies whose steps are differentiated in several ways; policies that do not act are skipped.",
    )
    variants: list[Variant] = Field(
        default=["exact", "unrolled", "implicit", "finite"],
        description="Ways to differentiate that are compared with central differences (`differences`): a method (exact,"
        " unrolled, implicit, finite), then -converged for the converged solver, then -float32 for single precision.",
        min_length=1,
    )
    seeds: int | None = Field(1, ge=1, description="Number of study seeds, from the start of the list; null: all.")
    steps: int | None = Field(
        30,
        ge=1,
        description="Number of steps sampled from each episode, evenly spaced; null: all. The central differences of a step"
        " cost four steps of the simulator per input.",
    )
    thresholds: list[Threshold] = Field(
        default=[1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2],
        description="Thresholds at which the zeros of the variants are compared.",
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
                f"variants = {self.variants} leaves nothing to compare with {REFERENCE!r}: add 'exact', or set tasks to []"
            )
        return self

    @property
    def of_jacobians(self) -> AblationSettings:
        """These settings with default thresholds, on which the Jacobians do not depend."""
        return self.model_copy(update={"thresholds": AblationSettings().thresholds})

    @property
    def ways(self) -> list[str]:
        """All variants to compute, the references first."""
        converged = [CONVERGED_REFERENCE] if any("-converged" in way for way in self.variants) else []
        return list(dict.fromkeys([REFERENCE, *converged, *self.variants]))


class AblationJacobianStage(RolloutStage):
    """Settings of the stage that differentiates a sample of steps in several ways."""

    ablation: AblationSettings


class AblationStage(AblationJacobianStage):
    """Settings of the stage that compares the ways to differentiate."""

    resampling: ResamplingSettings
