"""The embedding of transitions."""

from __future__ import annotations

from pydantic import Field, model_validator

from dynamic_sparsity.settings.base import Section, Seed
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.tasks import TaskNames


class EmbeddingSettings(Section):
    """Figure 4 of the paper: t-SNE of transitions (s, a, s'), with frames along one consecutive sequence."""

    tasks: TaskNames = Field(
        default=["FingerSpin", "FingerTurnEasy"], description="Tasks of the study to embed; others here are skipped."
    )
    perplexity: float = Field(50.0, ge=1, le=10_000, description="t-SNE's perplexity, at most a third of the points.")
    max_points: int = Field(
        1000, ge=10, le=1_000_000, description="Steps are taken at even distances, so as not to exceed this."
    )
    sequence_steps: int = Field(24, ge=2, le=100_000, description="Length of the consecutive sequence, in control steps.")
    seed: Seed = Field(0, description="Seed of t-SNE.")

    @model_validator(mode="after")
    def _room_beside_the_sequence(self) -> EmbeddingSettings:
        if self.max_points <= self.sequence_steps:
            raise ValueError(
                f"max_points = {self.max_points} leaves no room beside the sequence: use more than"
                f" sequence_steps = {self.sequence_steps}"
            )
        return self


class EmbeddingStage(SparsityStage):
    """What the embedding of transitions depends on."""

    embedding: EmbeddingSettings
