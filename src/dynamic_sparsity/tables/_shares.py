"""Shares in words, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def with_interval(row: Mapping[str, Any] | pd.Series, name: str) -> str:
    """The share in column `name` of a row, with its interval: "1.6% (1.1% to 2.2%)"."""
    return f"{row[name]:.1%}{interval(row, name)}"


def interval(row: Mapping[str, Any] | pd.Series, name: str) -> str:
    """The interval in the columns `name_low` and `name_high` of a row; empty if it is unknown or has no width."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if pd.isna(low) or low == high else f" ({low:.1%} to {high:.1%})"
