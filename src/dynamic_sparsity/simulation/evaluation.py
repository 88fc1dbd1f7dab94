"""Returns of policies: an expert's return next to those of zero controls and noise, to see whether it has learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.simulation.policies.base import Policy
from dynamic_sparsity.simulation.policies.expert import TrainedExpert
from dynamic_sparsity.simulation.policies.noise import Noise
from dynamic_sparsity.simulation.policies.zero import Zero
from dynamic_sparsity.simulation.rollout import Roller
from dynamic_sparsity.simulation.tasks import Task

EVALUATION_SEED = 2**32 - 1
"""The seed of evaluation episodes; no study seed can be this large, so no study records one of them."""
COLOUR, NOISE_SCALE = 0.5, 0.5
"""Exponent of coloured draws and standard deviation of noise in evaluations: the defaults of a study."""


def episode_returns(task: Task, policy: Policy, episodes: int, steps: int) -> np.ndarray:
    """The undiscounted return of each of `episodes` episodes of at most `steps` control steps."""
    roller = Roller(task, policy)
    numbers = progress(range(episodes), total=episodes, label=f"evaluation {task.name}")
    return np.array([roller.episode(EVALUATION_SEED, n, steps).trimmed().reward.sum() for n in numbers])


def evaluated(task: Task, expert: Expert, episodes: int, steps: int) -> dict[str, Any]:
    """Returns of the expert (white draws, deterministic, coloured draws), of noise and of zero controls.

    For each: `mean` and `std`, the sample standard deviation over episodes, and `each`, the return of every episode.
    """
    policies = {
        "stochastic": TrainedExpert(expert, beta=0.0),
        "deterministic": TrainedExpert(expert, deterministic=True),
        "coloured": TrainedExpert(expert, beta=COLOUR),
        "noise": Noise(beta=COLOUR, scale=NOISE_SCALE),
        "zero": Zero(),
    }
    summary: dict[str, Any] = {"episodes": episodes, "steps": steps}
    for name, policy in policies.items():
        returns = episode_returns(task, policy, episodes, steps)
        summary[name] = {
            "mean": round(float(returns.mean()), 3),
            "std": round(float(returns.std(ddof=1)), 3),
            "each": [round(float(value), 2) for value in returns],
        }
        print(f"{task.name}, {name}: return {returns.mean():.1f} ± {returns.std(ddof=1):.1f}", flush=True)
    return summary
