"""Who acts: a trained expert, noise, or zero actions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.training import TrainingSettings

PolicyName = Literal["expert", "noise", "zero"]


class NoisePolicy(Section):
    """Actions are clipped coloured Gaussian noise, whatever the observation."""

    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the power spectrum 1/f^beta; 0 is white noise.")
    scale: float = Field(0.5, gt=0, le=100, description="Standard deviation, in units of half the control range.")


class ZeroPolicy(Section):
    """Actions are zero: the passive system."""


class ExpertPolicy(Section):
    """Actions are those of a trained stochastic policy, with coloured noise."""

    source: Literal["shipped", "train"] = Field(
        "shipped", description="shipped: the experts in resources/policies; train: train one per task and seed."
    )
    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the noise's power spectrum; 0 samples the policy itself.")
    deterministic: bool = Field(False, description="Act with the policy's mode instead: no noise.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="How experts are trained.")

    @model_validator(mode="before")
    @classmethod
    def _bare_source(cls, value: Any) -> Any:
        """`expert: train` is short for `expert: {source: train}`."""
        return {"source": value} if isinstance(value, str) else value


class PolicySettings(Section):
    """The policies to roll out, each with its own settings; one that is left out, or false, is skipped."""

    expert: ExpertPolicy | Literal[False] | None = Field(None, description="Trained policies with coloured noise.")
    noise: NoisePolicy | Literal[False] | None = Field(None, description="Coloured Gaussian noise in action space.")
    zero: ZeroPolicy | Literal[False] | None = Field(None, description="Zero actions: the passive system.")

    @field_validator("*", mode="before")
    @classmethod
    def _bare_key(cls, value: Any) -> Any:
        """A key without a value (`zero:`) asks for that policy with its defaults."""
        return {} if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        """`policies: expert` is short for `policies: {expert: }`."""
        return {value: None} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _at_least_one(self) -> PolicySettings:
        if not self.names:
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the policies asked for."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]


def policies_in(path: str) -> list[str]:
    """The policies that a path names: one, or several whose episodes are learnt from together (`expert_noise`)."""
    return path.split("_")
