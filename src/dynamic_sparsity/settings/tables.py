"""What tables depend on: the settings of the stores that they read."""

from __future__ import annotations

from typing import Any

from dynamic_sparsity.settings.base import Section


class TableStage(Section):
    """What a table depends on: the settings of the stores that it reads."""

    upstream: dict[str, Any]
