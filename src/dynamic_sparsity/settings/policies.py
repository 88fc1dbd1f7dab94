"""The section `policies` of config.yaml: who acts. A trained expert, and the kinds of `settings.policy_kinds`."""

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
    """A trained stochastic policy whose draws are coloured noise."""

    source: Literal["shipped", "train"] = Field(
        "shipped", description="shipped: the experts in resources/policies; train: train one per task and study seed."
    )
    beta: float = Field(0.5, ge=0, le=4, description="Exponent of the noise's power spectrum; 0 samples the policy itself.")
    deterministic: bool = Field(False, description="Act with the policy's mode instead, without noise.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="How experts are trained.")

    @model_validator(mode="before")
    @classmethod
    def _bare_source(cls, value: Any) -> Any:
        """`expert: train` is short for `expert: {source: train}`."""
        return {"source": value} if isinstance(value, str) else value


class _Policies(Section):
    """The policies to roll out, each with its settings. A policy that is left out, or false, does not act."""

    expert: ExpertPolicy | Literal[False] | None = Field(None, description="Trained policies with coloured noise.")

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
    def _at_least_one(self) -> _Policies:
        if not self.names:
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the policies asked for."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]


def _section(name: str) -> tuple[Any, Any]:
    """Type and default of the section of one kind."""
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
    """The policies in a path: one, or several whose episodes are learnt from together (`expert_noise`)."""
    return path.split("_")
