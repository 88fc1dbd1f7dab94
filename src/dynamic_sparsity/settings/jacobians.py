"""How the transition is differentiated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.rollouts import RolloutStage

Method = Literal["exact", "unrolled", "implicit", "differences", "finite"]

Solver = Literal["playground", "converged"]

VARIANT_PATTERN = r"(exact|unrolled|implicit)(-converged)?(-float32)?|(differences|finite)(-converged)?"
"""Of a variant's name (`JacobianSettings.variant`), in config.yaml and in paths."""

Variant = Annotated[str, Field(pattern=rf"^({VARIANT_PATTERN})$")]

Precision = Literal["float32", "float64"]

_DEFAULTS = ("playground", "float64")


class JacobianSettings(Section):
    """How the transition is differentiated."""

    method: Method = Field(
        "exact",
        description="exact: the step as implemented, the constraint solver's solution differentiated where it converged, its"
        " iterations elsewhere; unrolled: automatic differentiation of all iterations; implicit: the solution everywhere;"
        " differences: central differences of the step; finite: central differences of MuJoCo's C engine.",
    )
    solver: Solver = Field(
        "playground",
        description="playground: the constraint solver stops after the task's own number of iterations; converged: it goes"
        " on until it has converged, which is another step than the recorded one (step_difference says by how much).",
    )
    precision: Precision = Field("float64", description="Floating-point precision of the differentiated step.")

    @model_validator(mode="after")
    def _differences_are_double(self) -> JacobianSettings:
        if self.method in ("finite", "differences") and self.precision == "float32":
            raise ValueError(
                f"precision = 'float32' does not go with method = {self.method!r}, whose differences need the digits of"
                " float64: use that"
            )
        return self

    @property
    def variant(self) -> str:
        """`exact`, `unrolled-converged-float32`: the method and what is not the default; its stores' folder."""
        return "-".join([self.method, *(part for part in (self.solver, self.precision) if part not in _DEFAULTS)])

    @classmethod
    def of_variant(cls, variant: str) -> JacobianSettings:
        """The settings that a variant's name stands for."""
        method, *others = variant.split("-")
        solver = "converged" if "converged" in others else "playground"
        return cls(method=method, solver=solver, precision="float32" if "float32" in others else "float64")  # ty: ignore[invalid-argument-type]


class JacobianStage(RolloutStage):
    """What the Jacobians depend on: the rollouts' settings as well, so that stale ones are never accepted."""

    jacobians: JacobianSettings
