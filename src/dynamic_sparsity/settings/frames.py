"""Rendered frames beside the embedding."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.embedding import EmbeddingStage


class FrameSettings(Section):
    """Rendered frames along the sequence of an embedding."""

    count: int = Field(6, ge=2, le=50, description="How many, at even distances along the sequence.")
    size: int = Field(200, ge=32, le=2000, description="Width and height, in pixels.")


class FrameStage(EmbeddingStage):
    """What frames depend on: how they look, as well."""

    frames: FrameSettings
