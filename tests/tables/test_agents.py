"""The table that compares the policies of a task."""

import numpy as np
import pytest

from tests.helpers.studies import patterned, summarised, table, touching, trained
from tests.helpers.synthetic import rollout_store, sparsity_store


def agents(**sparsities):
    """The table of agents of policies with these sparsity stores; every episode starts in another state."""
    stores = []
    for policy, seeds in sparsities.items():
        stores += [summarised(seeds, policy=policy), patterned(seeds, policy=policy)]
        stores += [rollout_store(0, 3, 20, policy=policy), rollout_store(1, 2, 20, policy=policy)]
    return table("agents", stores).set_index("policy")


def test_the_table_of_agents_compares_policies_of_a_task(usual):
    quiet = [sparsity_store(0, np.zeros((3, 20), bool)), sparsity_store(1, np.zeros((3, 20), bool))]
    compared = agents(noise=usual, zero=quiet)
    assert compared.joint_limit["noise"] == pytest.approx((5 * 5 / 20 + 2 / 11) / 6) and compared.joint_limit["zero"] == 0
    assert compared.switch_rate["zero"] == 0 < compared.switch_rate_low["noise"]
    assert compared.sparsity["zero"] == pytest.approx(3 / 24) and (compared.contact == 0).all()
    assert compared.differs_from.to_dict() == {"noise": "zero", "zero": "noise"}
    assert agents(noise=usual, zero=usual).differs_from.tolist() == ["", ""]
    unknown = agents(noise=[sparsity_store(0, touching(1, 20))], zero=usual)
    assert unknown.differs_from.tolist() == ["unknown", "unknown"], "one episode has no interval"


def test_equal_episodes_count_once(usual):
    assert (agents(noise=usual).distinct_episodes == 5).all()
    stores = [summarised(usual, policy="zero"), patterned(usual, policy="zero")]
    repeated = rollout_store(0, 3, 20, policy="zero").isel(episode=[0, 0, 2])
    assert table("agents", [*stores, repeated]).distinct_episodes.tolist() == [2]


def test_tables_of_agents_and_claims_flag_policies_that_failed_to_learn(usual):
    stores = [summarised(usual, task="CheetahRun", policy="expert"), patterned(usual, task="CheetahRun", policy="expert")]
    rollouts = [
        rollout_store(seed, 3, 20, task="CheetahRun", policy="expert", expert=trained(value))
        for seed, value in enumerate((810.0, 340.0, 820.0))
    ]
    for name in ("agents", "claims"):
        assert set(table(name, [*stores, *rollouts]).agent) == {"solved; not an expert: 40% of Playground's"}
        assert set(table(name, [*stores, rollout_store(0, 3, 20, task="CheetahRun", policy="expert")]).agent) == {""}
