"""Section `comparison` of config.yaml: how much is computed for policies other than the first."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section


class ComparisonSettings(Section):
    """How much is computed for policies other than the first one (expert, else noise, else zero)."""

    seeds: int | None = Field(
        1, ge=1, description="Number of study seeds in which they act, from the start of the list; null: all."
    )
    full: bool = Field(
        False,
        description="true: make survival curves, tests of symmetries, interventions and figures for them too; false: only"
        " tables and figures that compare all policies.",
    )
