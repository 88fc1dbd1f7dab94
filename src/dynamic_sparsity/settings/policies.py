"""Section `policies` of config.yaml: the trained expert, and the other kinds of policy (`settings.policy_kinds`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model, field_validator, model_validator

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.policy_kinds import POLICY_KINDS
from dynamic_sparsity.settings.training import TrainingSettings

if TYPE_CHECKING:
    PolicyName = str
else:
    PolicyName = Literal["expert", *POLICY_KINDS]


class ExpertPolicy(Section):
    """A trained stochastic policy, sampled with coloured noise."""

    source: Literal["shipped", "train"] = Field(
        "shipped",
        description="shipped: use the experts in resources/policies; train: train an expert for each task and study seed.",
    )
    beta: float = Field(
        0.5,
        ge=0,
        le=4,
        description="Exponent of the noise's power spectrum 1/f^beta; 0: white noise, which samples the policy itself.",
    )
    deterministic: bool = Field(False, description="true: act with the policy's mode, without noise.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="How experts are trained.")

    @model_validator(mode="before")
    @classmethod
    def _bare_source(cls, value: Any) -> Any:
        """`expert: train` is short for `expert: {source: train}`."""
        return {"source": value} if isinstance(value, str) else value


class _Policies(Section):
    """The policies that act, each with its settings. A policy that is left out or set to false does not act."""

    expert: ExpertPolicy | Literal[False] | None = Field(None, description="Trained policies, sampled with coloured noise.")

    @field_validator("*", mode="before")
    @classmethod
    def _bare_key(cls, value: Any) -> Any:
        """A key without a value (`zero:`) selects that policy with its default settings."""
        return {} if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        """`policies: expert` is short for `policies: {expert: }`."""
        return {value: None} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _at_least_one(self) -> _Policies:
        if not self.names:
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the policies that act."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]


def _section(name: str) -> tuple[Any, Any]:
    """Type and default of the section of one kind of policy."""
    kind = POLICY_KINDS[name]
    section = create_model(f"{name.title()}Policy", __base__=Section, __doc__=kind.description, **kind.settings)  # ty: ignore[no-matching-overload]
    return section | Literal[False] | None, Field(None, description=kind.description)


if TYPE_CHECKING:
    PolicySettings = _Policies
else:
    PolicySettings = create_model(
        "PolicySettings", __base__=_Policies, __doc__=_Policies.__doc__, **{name: _section(name) for name in POLICY_KINDS}
    )


def policies_in(path: str) -> list[str]:
    """Names of the policies in a path: one, or several that a world model learns from together (`expert_noise`)."""
    return path.split("_")
