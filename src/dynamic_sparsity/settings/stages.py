"""The settings model of each stage."""

from __future__ import annotations

from dynamic_sparsity.settings.ablation import AblationJacobianStage, AblationStage
from dynamic_sparsity.settings.embedding import EmbeddingStage
from dynamic_sparsity.settings.frames import FrameStage
from dynamic_sparsity.settings.horizons import HorizonStage
from dynamic_sparsity.settings.interventions import InterventionStage
from dynamic_sparsity.settings.jacobians import JacobianStage
from dynamic_sparsity.settings.resampling import PooledStage
from dynamic_sparsity.settings.rollouts import RolloutStage
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.settings.structure import StructureStage
from dynamic_sparsity.settings.temporal import TemporalStage
from dynamic_sparsity.settings.world_models import WorldModelStage

STAGES: dict[str, type[RolloutStage]] = {
    "rollouts": RolloutStage,
    "jacobians": JacobianStage,
    "structure": StructureStage,
    "sparsity": SparsityStage,
    "durations": SparsityStage,
    "summary": PooledStage,
    "survival": PooledStage,
    "patterns": TemporalStage,
    "horizons": HorizonStage,
    "clustering": TemporalStage,
    "interventions": InterventionStage,
    "embedding": EmbeddingStage,
    "frames": FrameStage,
    "ablation_jacobians": AblationJacobianStage,
    "ablation": AblationStage,
    "world_models": WorldModelStage,
    "recovery": WorldModelStage,
}
"""Settings model of each stage, by the stage's name."""
