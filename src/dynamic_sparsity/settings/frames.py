"""Section `frames` of config.yaml: rendered frames along the sequence of an embedding."""

from __future__ import annotations

from pydantic import Field

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.embedding import EmbeddingStage


class FrameSettings(Section):
    """Rendered frames along the sequence of an embedding."""

    count: int = Field(6, ge=2, le=50, description="Number of frames, evenly spaced along the sequence.")
    size: int = Field(200, ge=32, le=2000, description="Width and height of a frame, in pixels.")


class FrameStage(EmbeddingStage):
    """Settings of the stage that renders frames: those of the embedding, and the number and size of frames."""

    frames: FrameSettings
