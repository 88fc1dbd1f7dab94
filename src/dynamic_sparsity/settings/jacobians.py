"""Section `jacobians` of config.yaml: how the transition is differentiated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.rollouts import RolloutStage

Method = Literal["exact", "unrolled", "implicit", "differences", "finite"]

Solver = Literal["playground", "converged"]

VARIANT_PATTERN = r"(exact|unrolled|implicit)(-converged)?(-float32)?|(differences|finite)(-converged)?"
"""Pattern of a variant's name (`JacobianSettings.variant`) in config.yaml and in paths."""

Variant = Annotated[str, Field(pattern=rf"^({VARIANT_PATTERN})$")]

Precision = Literal["float32", "float64"]

_DEFAULTS = ("playground", "float64")


class JacobianSettings(Section):
    """How the transition is differentiated."""

    method: Method = Field(
        "exact",
        description="exact: derivative of the step as implemented (the constraint solver's solution is differentiated where"
        " the solver converged, its iterations elsewhere); unrolled: automatic differentiation of all iterations; implicit:"
        " derivative of the solution at every step; differences: central differences of the step; finite: central"
        " differences of MuJoCo's C engine.",
    )
    solver: Solver = Field(
        "playground",
        description="playground: the constraint solver stops after the task's own number of iterations; converged: it"
        " iterates until it has converged, so the step differs from the recorded one (step_difference says by how much).",
    )
    precision: Precision = Field("float64", description="Floating-point precision of the differentiated step.")

    @model_validator(mode="after")
    def _differences_need_double(self) -> JacobianSettings:
        if self.method in ("finite", "differences") and self.precision == "float32":
            raise ValueError(
                f"precision = 'float32' is too coarse for the differences of method = {self.method!r}: use precision ="
                " 'float64'"
            )
        return self

    @property
    def variant(self) -> str:
        """Name in paths: the method, with solver and precision unless they are the defaults (`exact-float32`)."""
        return "-".join([self.method, *(part for part in (self.solver, self.precision) if part not in _DEFAULTS)])

    @classmethod
    def of_variant(cls, variant: str) -> JacobianSettings:
        """The settings that a variant's name stands for."""
        method, *suffixes = variant.split("-")
        solver = "converged" if "converged" in suffixes else "playground"
        return cls(method=method, solver=solver, precision="float32" if "float32" in suffixes else "float64")  # ty: ignore[invalid-argument-type]


class JacobianStage(RolloutStage):
    """Settings of the stage that differentiates rollouts; with those of the rollouts, to refuse stale ones."""

    jacobians: JacobianSettings
