"""Settings of the stage that builds tables."""

from __future__ import annotations

from typing import Any

from dynamic_sparsity.settings.base import Section


class TableStage(Section):
    """Settings of a table: those of the stores that it reads."""

    upstream: dict[str, Any]
    """Settings of these stores, by policy and stage."""
