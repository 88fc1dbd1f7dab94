"""How experts are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dynamic_sparsity.settings.base import Count, Section


class PpoOverrides(Section):
    """Hyper-parameters by brax's names (`brax.training.agents.ppo.train`); what is unset is the recipe's."""

    num_timesteps: Count | None = None
    num_evals: Count | None = None
    num_eval_envs: Count | None = None
    num_envs: Count | None = None
    episode_length: Count | None = None
    unroll_length: Count | None = None
    batch_size: Count | None = None
    num_minibatches: Count | None = None
    num_updates_per_batch: Count | None = None
    num_resets_per_eval: Count | None = None
    discounting: float | None = Field(None, gt=0, le=1)
    gae_lambda: float | None = Field(None, ge=0, le=1)
    reward_scaling: float | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)
    learning_rate_schedule: Literal["NONE", "ADAPTIVE_KL"] | None = None
    learning_rate_schedule_max_lr: float | None = Field(None, gt=0)
    desired_kl: float | None = Field(None, gt=0)
    max_grad_norm: float | None = Field(None, gt=0)
    entropy_cost: float | None = Field(None, ge=0)
    clipping_epsilon: float | None = Field(None, gt=0)
    observation_clip: float | None = Field(None, ge=0, description="In standard deviations; 0: no clipping.")


class TrainingSettings(Section):
    """How an expert is trained: brax's PPO."""

    recipe: Literal["small", "playground"] = Field(
        "small",
        description="small: what two cores can afford; playground: Playground's own hyper-parameters, for an accelerator.",
    )
    overrides: PpoOverrides = Field(
        default_factory=lambda: PpoOverrides(), description="Hyper-parameters over the recipe's, for every task."
    )
    evaluation_episodes: int = Field(
        32, ge=2, le=10_000, description="Episodes of the final evaluation, for each of expert, its mode, noise and zero."
    )


class PolicyStage(Section):
    """What the training of an expert depends on."""

    training: TrainingSettings
