"""The table of returns: whether a trained policy is an expert."""

from tests.helpers.studies import table, trained
from tests.helpers.synthetic import rollout_store


def returned(stochastic, task="CheetahRun", **baselines):
    """The row of an expert with this mean return."""
    expert = trained(stochastic, task, **baselines)
    return table("returns", [rollout_store(0, 3, 20, task=task, policy="expert", expert=expert)]).iloc[0]


def test_a_policy_that_failed_to_learn_is_flagged():
    assert returned(810.0).verdict == "solved"
    assert returned(700.0).verdict == "as Playground's"
    assert returned(340.0).verdict == "not an expert: 40% of Playground's"
    assert (
        returned(340.0, noise=400.0).verdict
        == "not an expert: 40% of Playground's, and no better than zero actions or noise"
    )
    assert returned(810.0, zero=800.0).verdict == "solved", "better in each episode, although the returns vary more"
    assert returned(500.0, task="BallInCup").verdict == "not an expert: 50% of the highest possible return"
    assert returned(3.0, task="HopperHop").verdict.startswith("not an expert: 0% of the highest"), (
        "nor does Playground's own policy learn"
    )
    assert returned(500.0, task="FishSwim").verdict == "not an expert: 50% of the highest possible return"
    assert returned(700.0).rollouts == 10 and returned(700.0).expert_seed == 1
    uncertain = trained(900.0, zero=800.0)
    uncertain["returns"]["zero"]["each"] = [1100.0, 500.0]
    uncertain["returns"]["stochastic"]["each"] = [900.0, 900.0]
    row = table("returns", [rollout_store(0, 3, 20, task="CheetahRun", policy="expert", expert=uncertain)]).iloc[0]
    assert row.verdict == "not an expert: 106% of Playground's, and no better than zero actions or noise"
    noise = table("returns", [rollout_store(4, 2, 20, task="CheetahRun", policy="noise")]).iloc[0]
    assert noise.seed == 4 and noise.playground == 850 and "verdict" not in noise
