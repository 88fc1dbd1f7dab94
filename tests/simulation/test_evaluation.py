"""Shipped experts reach the returns that their files record."""

import numpy as np
import pytest

from dynamic_sparsity.experts.expert import read_expert
from dynamic_sparsity.experts.shipped import OBSERVATIONS
from dynamic_sparsity.runtime.jax_setup import in_precision
from dynamic_sparsity.simulation.evaluation import episode_returns
from dynamic_sparsity.simulation.policies.expert import TrainedExpert
from dynamic_sparsity.simulation.tasks import load_task
from dynamic_sparsity.tasks.sizes import DM_CONTROL_SUITE
from tests.helpers.experts import SHIPPED, SUMS

EPISODES = 4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_shipped_experts_return_reproduces(name):
    """Equal episodes have equal returns; one may differ on another kind of processor, where rounding differs."""
    task = name.partition("-")[0]
    expert = read_expert(SHIPPED / name, task)
    recorded = expert.provenance["returns"]
    with in_precision(double=False):  # as rollouts are
        policy = TrainedExpert(expert, beta=0.0)
        loaded = load_task(task)
        assert OBSERVATIONS[task] == loaded.environment.observation_size
        assert DM_CONTROL_SUITE[task].nu == loaded.environment.action_size
        returns = episode_returns(loaded, policy, EPISODES, recorded["steps"])
    reproduced = np.abs(returns - recorded["stochastic"]["each"][:EPISODES]) <= 0.1 * recorded["steps"]
    assert reproduced.sum() >= EPISODES - 1, f"{returns} instead of {recorded['stochastic']['each'][:EPISODES]}"
