"""How attributes of stores are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DIGESTS = "file_sha256"
"""The attribute that lists a store's files: digests by path within the store."""
AS_JSON = ("versions", "simulator_versions", "expert", DIGESTS)
"""Attributes of stores that are mappings. On disk they are JSON text, because netCDF takes no mapping."""


def encoded(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as they are written: mappings become JSON text."""
    return {name: json.dumps(value) if isinstance(value, Mapping) else value for name, value in attributes.items()}
