"""The table of kinds of zeros: shares, symmetries, and the answers above it."""

import numpy as np
import pytest

from dynamic_sparsity.tables import zero_kinds
from tests.helpers.studies import structured, summarised, table, touching, usual_seeds
from tests.helpers.synthetic import sparsity_store


def still():
    """Sparsity stores in which the three entries of column qpos:a are always zero, and nothing else ever is."""
    return [sparsity_store(0, np.zeros((3, 20), bool))]


def row(stores):
    (only,) = table("zero_kinds", stores).to_dict("records")
    return only


def test_zeros_that_a_limit_breaks_depend_on_the_state(usual):
    found = row([summarised(usual), structured(usual)])
    assert found["depends_on_state"] == "all" and (found["always"], found["broken"], found["otherwise"]) == (0, 1, 0)
    assert found["broken_entries"] == 3 and found["broken_by"] == "joint_limit:a (100 %)" and found["always_zero"] == 0
    assert np.isnan(found["largest_change"]) and found["by_column"] == ""
    assert found["change_elsewhere"] == 0, "the smaller one of 0 (qpos:a) and 0.5"


@pytest.mark.parametrize(
    ("changed", "counts", "text"),
    [
        ({"change": 1e-12}, (0, 3, 0, 0), "qpos:a: 3 symmetries (and moves by the shift)."),
        (
            {"change": 0.2, "gained": 4},
            (0, 0, 3, 0),
            "qpos:a: 3 no symmetries: changed by up to 0.2 when shifted by 1 m.",
        ),
        ({"change": np.inf}, (0, 0, 3, 0), "qpos:a: 3 no symmetries: changed by up to inf when shifted by 1 m."),
        ({"possible": False}, (3, 0, 0, 0), "qpos:a: 3 impossible by structure."),
    ],
)
def test_zeros_that_are_always_there_are_told_apart(changed, counts, text):
    found = row([summarised(still()), structured(still(), **changed)])
    assert found["depends_on_state"] == "none" and found["always"] == 1 and found["always_zero"] == 3
    assert tuple(found[name] for name in ("impossible", "symmetries", "not_symmetries", "not_tested")) == counts
    assert found["by_column"] == text and found["sampled_steps"] == 7 and found["change_elsewhere"] == 0.5


def test_the_constraint_that_ends_a_symmetry_is_named():
    """A shift by 1 m changes nothing; a shift by 2 m reaches the limit."""
    structure = structured(still(), change=0.2, gained=4)
    structure["largest_change"][0, 0] = 0
    assert row([summarised(still()), structure])["by_column"] == (
        "qpos:a: 3 no symmetries: changed by up to 0.2 when shifted by 2 m, which makes joint_limit:a active."
    )


def test_a_policy_without_a_structure_store_is_not_tested():
    found = row([summarised(still())])
    assert found["symmetries"] is None and found["not_tested"] == 3 and found["by_column"] == "3 in column qpos:a"
    frame = table("zero_kinds", [summarised(still())])
    assert zero_kinds.sentences(frame)[-1] == "Is every global zero a symmetry? Not tested."


def test_the_answers_lead_and_carry_numbers():
    busy, quiet, lasting = usual_seeds(), still(), [sparsity_store(0, touching(2, 20, 21))]
    stores = [
        *(summarised(busy, task="A"), structured(busy, task="A", change=0.3)),
        *(summarised(quiet, task="B"), structured(quiet, task="B", change=2e-13)),
        *(summarised(lasting, task="C"), structured(lasting, task="C", change=0.1)),
        summarised(quiet, task="B", policy="zero"),
    ]
    state, other, symmetry, structure = zero_kinds.sentences(table("zero_kinds", stores))
    assert state == (
        "Do zeros depend on the state? Partly, under policy noise in 1 of 3 tasks. Share of all zeros that are of entries"
        " not always zero: A 100 % [100, 100]. In the other tasks it is below 1 %: B 0 %, C 0 %."
    )
    assert other.startswith("Do zeros depend on the state? No, under policy zero in 0 of 1 tasks.")
    assert symmetry == (
        "Is every global zero a symmetry? Partly: 3 of 6 entries that are always zero, in 2 of 3 pairs of task and policy;"
        " shifts at 7 steps or more change these outputs by at most 2e-13, and every other position coordinate changes some"
        " output by 0.3 or more."
        " The others: C, noise: qpos:a: 3 no symmetries: changed by up to 0.1 when shifted by 1 m."
    )
    assert structure.startswith("Is a global zero one of structure? No:")


def test_structural_zeros_are_counted_in_the_answer():
    frame = table("zero_kinds", [summarised(still(), task="B"), structured(still(), task="B", possible=False)])
    assert zero_kinds.sentences(frame)[-1] == (
        "Is a global zero one of structure? In 1 of 1 pairs of task and policy: B, noise: 3 of 3."
    )


@pytest.mark.parametrize(("zeros", "amount"), [(0, "none"), (1, "below 1 %"), (9, "some")])
def test_zeros_at_single_steps_are_told_from_those_that_change_often(zeros, amount):
    """Of 3 episodes of 20 steps, 180 zeros are always there."""
    store = still()[0]
    for name in ("zero_count", "free_zero_count"):
        store[name].loc[{"episode": 0, "out_dim": "qvel:b", "in_dim": "ctrl:v"}] = zeros
    found = row([summarised([store])])
    assert found["depends_on_state"] == amount and found["otherwise"] == pytest.approx(zeros / (180 + zeros))
