"""Verdicts on the paper's claims."""

import functools

import numpy as np
import pytest
import xarray as xr

from tests.helpers.studies import nonfinite_everywhere, patterned, summarised, table, touching
from tests.helpers.synthetic import sparsity_store


@functools.cache
def stores(episodes, steps, period, kinds):
    """Summary and pattern stores; the limit is loaded at every `period`-th step, never if that is None."""
    loaded = touching(episodes, steps, period) if period else np.zeros((episodes, steps), bool)
    seeds = [sparsity_store(0, loaded).assign_coords(constraint_kind=("constraint", list(kinds)))]
    return summarised(seeds), patterned(seeds)


STILL, BUSY, ONE_STEP = (3, 20, None), (3, 20, 4), (3, 1, 4)


def claims(shape, task, kinds=("contact", "joint_limit")):
    """Verdicts on the claims about a task by their place in the paper."""
    verdicts = table("claims", [store.assign_attrs(task=task) for store in stores(*shape, kinds)])
    return {place: rows.verdict.tolist() for place, rows in verdicts.groupby("place")}


@pytest.mark.parametrize(
    ("observed", "p", "verdict"),
    [
        (0.9, 0.01, "agrees"),
        (0.2, 0.01, "partly: fewer than half of the switches"),
        (0.9, 0.2, "differs: no more than by chance"),
    ],
)
def test_figure_6_agrees_where_most_switches_follow_its_events(usual, observed, p, verdict):
    summary, patterns = summarised(usual, task="BallInCup"), patterned(usual, task="BallInCup")
    for name, value in (("observed", observed), ("expected", 0.1), ("p_value", p)):
        patterns[f"coincidence_{name}"] = xr.full_like(patterns[f"coincidence_{name}"], value)
    claim = table("claims", [summary, patterns]).set_index("place").loc["Figure 6"]
    assert claim.verdict == verdict and bool(claim.why) == (verdict != "agrees")


def test_claims_are_judged_by_what_was_measured():
    reacher = claims(STILL, "ReacherHard")
    assert reacher["Figure 3"] == ["agrees"] and reacher["Figure 7"] == ["agrees"] and reacher["Table 1"] == ["agrees"]
    broken = claims(BUSY, "ReacherHard")
    assert broken["Figure 3"] == ["differs: 3 of 16 entries by more than 5 points"]
    assert broken["Figure 7"] == ["differs"] and broken["Table 1"] == ["differs: 3 fewer in J_s"]
    assert claims(BUSY, "CartpoleBalance")["Figure 7"] == ["agrees"]
    assert claims(STILL, "CartpoleBalance")["Figure 7"] == ["differs"]
    assert claims(BUSY, "CheetahRun")["Figure 6"] == ["not tested: no switch, or no such event"], "a limit, not contacts"
    assert claims(BUSY, "BallInCup", kinds=("contact", "tendon_limit"))["Figure 6"] == ["agrees"]
    assert claims(STILL, "BallInCup")["Figure 6"] == ["not tested: no switch, or no such event"]
    assert claims(STILL, "FingerSpin")["Figure 4"] == ["not tested: the data lack steps of one kind or both"]
    assert claims(BUSY, "FingerSpin")["Figure 4"] == ["not tested: the data lack steps of one kind or both"], "a limit"
    assert claims(BUSY, "FingerSpin", kinds=("joint_limit", "contact"))["Figure 4"] == ["differs"]
    assert set(claims(BUSY, "FishSwim")) == set(), "the paper says nothing about it"
    assert claims(ONE_STEP, "CartpoleBalance")["Figure 7"] == ["not tested: no two consecutive steps have patterns"]
    assert all(verdict.startswith("no verdict") for verdict in claims(BUSY, "WalkerRun")["Figure 5"])


def test_figure_3_is_not_tested_by_a_jacobian_that_is_nowhere_finite():
    seeds = [nonfinite_everywhere()]
    frame = table("claims", [store.assign_attrs(task="ReacherHard") for store in (summarised(seeds), patterned(seeds))])
    assert frame.set_index("place").verdict["Figure 3"] == "not tested: the data have no finite Jacobian"
