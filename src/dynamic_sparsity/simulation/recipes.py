"""PPO hyper-parameters: Playground's own, and a smaller recipe that two cores can afford.

The names are brax's (`brax.training.agents.ppo.train`). docs/experts.md gives the reason for each change in the small
recipe.
"""

from __future__ import annotations

from typing import Any

from mujoco_playground.config import dm_control_suite_params

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.training import TrainingSettings

_NETWORKS = {"policy_layers": [32] * 4, "value_layers": [256] * 5}  # brax's defaults, which Playground uses

# Overrides Playground's settings. A batch holds 2,048 pieces of 30 steps (Playground's: 32,768), so that a training of
# a few million steps makes as many updates. The networks are small enough to cost less than the simulation.
SMALL: dict[str, Any] = {
    "policy_layers": [64, 64],
    "value_layers": [128, 128],
    "num_timesteps": 6_000_000,
    "num_evals": 16,
    "num_eval_envs": 16,
    "num_envs": 256,
    "batch_size": 256,
    "num_minibatches": 8,
    "num_updates_per_batch": 8,
    "num_resets_per_eval": 1,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "NONE",
    "learning_rate_schedule_max_lr": 1e-3,
    "max_grad_norm": 0.5,
    "entropy_cost": 1e-2,
    "reward_scaling": 1.0,
    "discounting": 0.99,
    "observation_clip": 5.0,
    "staggered_starts": True,
    "shortest_episode": 0,
}

# For tasks in which a fixed learning rate and the entropy bonus keep the policy from settling: smaller batches, a
# learning rate that follows the KL divergence, and almost no bonus.
_SETTLING: dict[str, Any] = {
    "num_timesteps": 5_000_000,
    "batch_size": 64,
    "num_updates_per_batch": 5,
    "learning_rate": 3e-4,
    "learning_rate_schedule": "ADAPTIVE_KL",
    "entropy_cost": 1e-3,
}

# For tasks whose behaviour to learn comes soon after the start: short episodes among the long ones, and a shorter
# horizon.
_EARLY: dict[str, Any] = {"shortest_episode": 100, "discounting": 0.98}

# For tasks that depend on the state a reset draws. At the end of an episode an environment returns to its first state;
# only the resets that `num_resets_per_eval` counts draw a new one.
_DRAWN: dict[str, Any] = {"num_resets_per_eval": 4, "num_eval_envs": 64}

# Overrides SMALL, per task.
SMALL_BY_TASK: dict[str, dict[str, Any]] = {
    "BallInCup": {**_SETTLING, "num_evals": 26},
    "CartpoleBalance": {**_SETTLING, **_EARLY, "num_evals": 11},
    "CheetahRun": {"num_timesteps": 12_000_000, "num_evals": 25},
    "FingerTurnEasy": {**_EARLY, **_DRAWN, "num_timesteps": 11_796_480, "num_evals": 25},
    "FingerSpin": {**_SETTLING, "num_evals": 26},
    "ReacherHard": {**_EARLY, **_DRAWN, "num_timesteps": 7_864_320, "num_evals": 17},
    "SwimmerSwimmer6": {**_DRAWN, "num_timesteps": 12_902_400, "num_evals": 22, "batch_size": 128, "discounting": 0.995},
    "WalkerRun": {"num_timesteps": 8_000_000, "num_evals": 17},
}


def ppo_settings(task: str, settings: TrainingSettings) -> dict[str, Any]:
    """All hyper-parameters of a training: the recipe's for the task, overridden by those in `settings`.

    Raises UserError if batch_size × num_minibatches is not a multiple of num_envs.
    """
    base: dict[str, Any] = {
        **dm_control_suite_params.brax_ppo_config(task).to_dict(),
        **_NETWORKS,
        "num_eval_envs": 128,
        "observation_clip": 0.0,
        "staggered_starts": False,
        "shortest_episode": 0,
    }
    if settings.recipe == "small":
        base |= SMALL | SMALL_BY_TASK.get(task, {})
    chosen: dict[str, Any] = base | settings.overrides.model_dump()
    pieces = chosen["batch_size"] * chosen["num_minibatches"]
    if pieces % chosen["num_envs"]:
        raise UserError(
            f"training {task}: batch_size × num_minibatches = {pieces} is not a multiple of num_envs = {chosen['num_envs']}:"
            " change one of them under policies.expert.training.overrides"
        )
    return chosen


def total_steps(ppo: dict[str, Any]) -> int:
    """Control steps that a training takes: brax rounds `num_timesteps` up to whole batches between two resets."""
    pieces = max(ppo["num_evals"] - 1, 1) * max(ppo["num_resets_per_eval"], 1)
    batch = ppo["batch_size"] * ppo["num_minibatches"] * ppo["unroll_length"] * ppo["action_repeat"]
    return pieces * batch * -(-ppo["num_timesteps"] // (pieces * batch))


def episode_length(task: str) -> int:
    """Control steps in an episode of the task, as Playground defines it; episodes in training may be shorter."""
    return dm_control_suite_params.brax_ppo_config(task).episode_length
