"""Base class and types that all sections of config.yaml share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer

Threshold = Annotated[float, Field(gt=0)]

Seed = Annotated[int, Field(ge=0, lt=2**31)]

Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section: unknown keys, wrong types, NaN and infinity are refused; nothing can change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _omit_none(self, handler: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        """Omit None unless the field's default is not None: `jacobian_columns: null` means all columns."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None or (name in fields and fields[name].default is not None)
        }


def without_repeats(values: list[Any]) -> list[Any]:
    """The values, unchanged. Raises ValueError naming a value that is listed more than once."""
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{repeated[0]!r} is listed more than once: remove the repeats")
    return values
