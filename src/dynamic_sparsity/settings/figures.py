"""Settings that all figures share, and what a job that draws figures is given."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dynamic_sparsity.settings.base import Section


class FigureStyle(Section):
    """Style of all figures."""

    dpi: int = Field(150, ge=30, le=1200, description="Resolution of the PNG files, dots per inch.")
    font_size: float = Field(9.0, ge=4, le=30, description="Base font size, points.")


class DrawnFigure(Section):
    """One figure of a job."""

    reads: list[str]
    """Kinds of the stores that it reads."""
    settings: dict[str, Any]
    """Its section of config.yaml, validated before the job starts: the keyword arguments of its `draw`."""


class FigureStage(Section):
    """What the figures of a job depend on."""

    upstream: dict[str, Any]
    """Settings of the stores that they read, by policy and stage."""
    style: FigureStyle
    figures: dict[str, DrawnFigure]
    """By name."""
