"""How much is done for policies beside the first one."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section


class ComparisonSettings(Section):
    """How much is done for policies beside the first one (expert, else noise, else zero)."""

    seeds: int | None = Field(1, ge=1, description="In how many of the seeds they act, the first ones; null: in all.")
    full: bool = Field(
        False, description="Whether they have survival curves and figures of their own, beside what compares the policies."
    )
