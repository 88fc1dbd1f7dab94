"""Section `figures.style` of config.yaml, and the settings of a job that draws figures."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dynamic_sparsity.settings.base import Section


class FigureStyle(Section):
    """Style of all figures."""

    dpi: int = Field(150, ge=30, le=1200, description="Resolution of the PNG files, in dots per inch.")
    font_size: float = Field(9.0, ge=4, le=30, description="Base font size, in points.")


class DrawnFigure(Section):
    """One of the figures that a job draws."""

    reads: list[str]
    """Kinds of the stores that the figure reads."""
    settings: dict[str, Any]
    """Keyword arguments of its `draw`: its section of config.yaml, validated before the job starts."""


class FigureStage(Section):
    """Settings of a job that draws figures."""

    upstream: dict[str, Any]
    """Settings of the stores that the figures read, by policy and stage."""
    style: FigureStyle
    figures: dict[str, DrawnFigure]
    """The figures to draw, by name."""
