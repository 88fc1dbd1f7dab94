"""Section `embedding` of config.yaml: the t-SNE embedding of transitions."""

from __future__ import annotations

from pydantic import Field, model_validator

from dynamic_sparsity.settings.base import Section, Seed
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.tasks import TaskNames


class EmbeddingSettings(Section):
    """Figure 4 of the paper: t-SNE of transitions (s, a, s'), and a sequence of consecutive steps for the frames."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "FingerTurnEasy"],
        description="Tasks whose transitions are embedded; tasks that the study does not list are skipped.",
    )
    perplexity: float = Field(
        50.0, ge=1, le=10_000, description="t-SNE's perplexity; lowered to a third of the number of points if there are few."
    )
    max_points: int = Field(
        1000, ge=10, le=1_000_000, description="Largest number of embedded steps; they are evenly spaced over all episodes."
    )
    sequence_steps: int = Field(24, ge=2, le=100_000, description="Number of consecutive control steps in the sequence.")
    seed: Seed = Field(0, description="t-SNE's seed.")

    @model_validator(mode="after")
    def _more_points_than_the_sequence(self) -> EmbeddingSettings:
        if self.max_points <= self.sequence_steps:
            raise ValueError(
                f"max_points = {self.max_points} must exceed sequence_steps = {self.sequence_steps}: raise max_points, or"
                " lower sequence_steps"
            )
        return self


class EmbeddingStage(SparsityStage):
    """Settings of the stage that embeds transitions."""

    embedding: EmbeddingSettings
