"""Verdicts on the paper's claims."""

import numpy as np
import pytest
import xarray as xr

from tests.helpers.studies import studied, table, touching
from tests.helpers.synthetic import sparsity_store


@pytest.fixture(scope="module")
def usual():
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


def claims(touching_steps, task, kinds=("contact", "joint_limit")):
    store = sparsity_store(0, touching_steps).assign_coords(constraint_kind=("constraint", list(kinds)))
    summed, _, patterned = studied([store], task=task)
    found = table("claims", [summed, patterned])
    return {place: rows.verdict.tolist() for place, rows in found.groupby("place")}


@pytest.mark.parametrize(
    ("observed", "p", "verdict"),
    [
        (0.9, 0.01, "agrees"),
        (0.2, 0.01, "partly: fewer than half of the switches"),
        (0.9, 0.2, "differs: no more than by chance"),
    ],
)
def test_figure_6_agrees_where_most_switches_follow_its_events(usual, observed, p, verdict):
    summed, _, patterned = studied(usual, task="BallInCup")
    for name, value in (("observed", observed), ("expected", 0.1), ("p_value", p)):
        patterned[f"coincidence_{name}"] = xr.full_like(patterned[f"coincidence_{name}"], value)
    found = table("claims", [summed, patterned]).set_index("place").loc["Figure 6"]
    assert found.verdict == verdict and bool(found.why) == (verdict != "agrees")


def test_claims_are_judged_by_what_was_measured():
    still, busy = np.zeros((3, 20), bool), touching(3, 20)
    reacher = claims(still, "ReacherHard")
    assert reacher["Figure 3"] == ["agrees"] and reacher["Figure 7"] == ["agrees"] and reacher["Table 1"] == ["agrees"]
    broken = claims(busy, "ReacherHard")
    assert broken["Figure 3"] == ["differs: 3 of 16 entries by more than 5 points"]
    assert broken["Figure 7"] == ["differs"] and broken["Table 1"] == ["differs: 3 fewer in J_s"]
    assert claims(busy, "CartpoleBalance")["Figure 7"] == ["agrees"]
    assert claims(still, "CartpoleBalance")["Figure 7"] == ["differs"]
    assert claims(busy, "CheetahRun")["Figure 6"] == ["not tested: no switch, or no such event"], "a limit, not contacts"
    assert claims(busy, "BallInCup", kinds=["contact", "tendon_limit"])["Figure 6"] == ["agrees"]
    assert claims(still, "BallInCup")["Figure 6"] == ["not tested: no switch, or no such event"]
    assert claims(still, "FingerSpin")["Figure 4"] == ["not tested: the data have no such steps of both kinds"]
    assert claims(busy, "FingerSpin")["Figure 4"] == ["not tested: the data have no such steps of both kinds"], "a limit"
    assert claims(busy, "FingerSpin", kinds=["joint_limit", "contact"])["Figure 4"] == ["differs"]
    assert set(claims(busy, "FishSwim")) == set(), "the paper says nothing about it"
    assert claims(busy[:, :1], "CartpoleBalance")["Figure 7"] == ["not tested: no two consecutive steps have patterns"]
    assert all(said.startswith("no verdict") for said in claims(busy, "WalkerRun")["Figure 5"])
