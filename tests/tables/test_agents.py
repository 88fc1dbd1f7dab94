"""The table that compares the policies of a task."""

import numpy as np
import pytest

from tests.helpers.studies import studied, table, touching, trained
from tests.helpers.synthetic import rollout_store, sparsity_store


@pytest.fixture(scope="module")
def usual():
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


def agents(**sparsities):
    """The table of agents of policies with these sparsity stores; every episode starts elsewhere."""
    stores = []
    for policy, of_seeds in sparsities.items():
        summed, _, patterned = studied(of_seeds, policy=policy)
        stores += [summed, patterned, rollout_store(0, 3, 20, policy=policy), rollout_store(1, 2, 20, policy=policy)]
    return table("agents", stores).set_index("policy")


def test_the_table_of_agents_compares_policies_of_a_task(usual):
    quiet = [sparsity_store(0, np.zeros((3, 20), bool)), sparsity_store(1, np.zeros((3, 20), bool))]
    found = agents(noise=usual, zero=quiet)
    assert found.joint_limit["noise"] == pytest.approx((5 * 5 / 20 + 2 / 11) / 6) and found.joint_limit["zero"] == 0
    assert found.switch_rate["zero"] == 0 < found.switch_rate_low["noise"]
    assert found.sparsity["zero"] == pytest.approx(3 / 24) and (found.contact == 0).all()
    assert found.differs_from.to_dict() == {"noise": "zero", "zero": "noise"}
    assert agents(noise=usual, zero=usual).differs_from.tolist() == ["", ""]
    unknown = agents(noise=[sparsity_store(0, touching(1, 20))], zero=usual)
    assert unknown.differs_from.tolist() == ["unknown", "unknown"], "one episode has no interval"


def test_episodes_that_are_the_same_one_are_counted_once(usual):
    assert (agents(noise=usual).distinct_episodes == 5).all()
    summed, _, patterned = studied(usual, policy="zero")
    repeated = rollout_store(0, 3, 20, policy="zero").isel(episode=[0, 0, 2])
    assert table("agents", [summed, patterned, repeated]).distinct_episodes.tolist() == [2]


def test_tables_of_agents_and_claims_say_whether_the_expert_is_one(usual):
    summed, _, patterned = studied(usual, task="CheetahRun", policy="expert")
    acted = [
        rollout_store(seed, 3, 20, task="CheetahRun", policy="expert", expert=trained(value))
        for seed, value in enumerate((810.0, 340.0, 820.0))
    ]
    for name in ("agents", "claims"):
        assert set(table(name, [summed, patterned, *acted]).agent) == {"solved; not an expert: 40% of Playground's"}
        assert set(table(name, [summed, patterned, rollout_store(0, 3, 20, task="CheetahRun", policy="expert")]).agent) == {
            ""
        }
