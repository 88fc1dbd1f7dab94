"""Section `policies.expert.training` of config.yaml: how experts are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dynamic_sparsity.settings.base import Count, Section


class PpoOverrides(Section):
    """Hyper-parameters by brax's names (`brax.training.agents.ppo.train`); the recipe sets those that are left out."""

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
    observation_clip: float | None = Field(
        None, ge=0, description="Observations are clipped to this many standard deviations; 0: no clipping."
    )


class TrainingSettings(Section):
    """How an expert is trained with brax's PPO."""

    recipe: Literal["small", "playground"] = Field(
        "small",
        description="small: hyper-parameters that two cores can afford; playground: Playground's own, for an accelerator.",
    )
    overrides: PpoOverrides = Field(
        default_factory=lambda: PpoOverrides(), description="Hyper-parameters that replace the recipe's, for every task."
    )
    evaluation_episodes: int = Field(
        32,
        ge=2,
        le=10_000,
        description="Number of episodes in the final evaluation of each of: the expert, its mode, noise and zero controls.",
    )


class PolicyStage(Section):
    """Settings of the stage that trains an expert."""

    training: TrainingSettings
