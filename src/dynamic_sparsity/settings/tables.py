"""What tables depend on."""

from __future__ import annotations

from typing import Any

from dynamic_sparsity.settings.base import Section


class TableStage(Section):
    """What a table depends on: the settings of the stores that it reads."""

    upstream: dict[str, Any]
