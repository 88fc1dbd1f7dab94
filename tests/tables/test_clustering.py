"""The tables of null models and of groups of entries."""

import numpy as np
import pytest

from dynamic_sparsity.tables import clustering, entry_groups
from dynamic_sparsity.tables.model_comparisons import holm
from tests.helpers.studies import CASES, clustered, study


@pytest.fixture(scope="module")
def stores():
    seeds = study("usual")["sparsity"]
    still = CASES["nothing ever switches"]()
    return [clustered(seeds, task="CheetahRun"), clustered(seeds, task="WalkerRun"), clustered(still, task="ReacherHard")]


def test_p_values_are_corrected_within_each_null_model(stores):
    frame = clustering.build(stores, {})
    assert len(frame) == 4 * len(stores)
    for name, rows in frame.groupby("null_model"):
        np.testing.assert_array_equal(rows.p_holm, holm(rows.p_value.to_numpy()))
        assert rows.p_value.tolist()[:2] == [stores[0].sel(null_model=name).p_value.item()] * 2


def test_answers_follow_from_the_corrected_p_value_and_the_sign(stores):
    frame = clustering.build(stores, {})
    assert set(frame[frame.task == "ReacherHard"].answer) == {"not tested"}
    frame = frame.set_index(["null_model", "task"])
    together = frame.loc["shifted entries", "CheetahRun"]
    assert together.answer == "yes: entries switch together" and together.effect == pytest.approx(1)
    assert frame.loc["memoryless durations", "CheetahRun"].answer == "yes: too regular"
    assert frame.loc["shuffled times", "CheetahRun"].details == "49 switches"
    assert frame.loc["equal phase", "WalkerRun"].details == "period 4; period 4"
    row = together.copy()
    for p_value, effect, answer in [
        (0.2, 1.0, "not shown"),
        (0.01, -0.3, "no: entries avoid each other"),
        (0.01, 0.3, "yes: entries switch together"),
    ]:
        row["p_holm"], row["effect"], row["low"], row["high"] = p_value, effect, effect, effect
        row["null_model"] = "shifted entries"
        assert clustering._answer(row) == answer
    row["low"] = -0.1
    assert clustering._answer(row).startswith("partly")


def test_sentences_lead_with_the_answer(stores):
    lines = clustering.sentences(clustering.build(stores, {}))
    assert len(lines) == 4
    assert lines[2].startswith("Do entries switch together? Policy noise: yes, in 2 of 2 tasks that could tell (3 tasks")
    only_still = clustering.sentences(clustering.build(stores[2:], {}))
    assert all("not tested" in line for line in only_still)


def test_groups_are_named_by_their_variables(stores):
    frame = entry_groups.build(stores, {})
    assert frame.task.tolist() == ["CheetahRun", "WalkerRun"]
    row = frame.iloc[0]
    assert (row.groups, row.entries, row.share) == (1, 3, 1.0) and row["columns"] == "qpos:a"
    assert row["rows"] == ", ".join(stores[0].out_dim.values[1:]) and row.stability == 1
    assert "memoryless" in row.run_lengths
    [line, _] = entry_groups.sentences(frame)
    assert line.startswith("CheetahRun, policy noise: 1 group (stability 1.00). The largest has 100% of the entries")


def test_long_lists_are_cut():
    labels = np.array(list("abcdefgh"))
    assert entry_groups._names(labels, labels < "h") == "a, b, c, d, e, f and 1 more"
    assert entry_groups._names(labels, labels < "i") == "all"
