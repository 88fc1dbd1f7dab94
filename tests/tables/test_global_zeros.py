"""Tables of zeros: which entries are always zero and how often the others are, next to the paper's."""

import numpy as np
import pytest

from tests.helpers.studies import summarised, table
from tests.helpers.synthetic import ATTRS, sparsity_store


def test_the_table_of_global_zeros_judges_and_explains(usual):
    agrees = table("global_zeros", [summarised(usual)]).iloc[0]
    assert agrees.verdict == "agrees" and agrees.paper_zeros_J_s == 0 and agrees.zeros_J_s_when_free == 3
    assert "joint_limit:a bears a force in 27 of them" in agrees.explanation
    never = [sparsity_store(0, np.zeros((3, 20), bool))]
    differs = table("global_zeros", [summarised(never)]).iloc[0]
    assert differs.verdict == "differs: 3 more in J_s" and differs.zeros_J_s == 3
    assert "3 in column qpos:a" in differs.explanation
    assert "Never active in these data, but perhaps in the paper's: contact:floor/foot, joint_limit:a" in differs.explanation
    everywhere = [sparsity_store(0, np.ones((3, 20), bool))]
    cheetah = summarised(everywhere).assign_attrs({**ATTRS, "task": "CheetahRun"})
    fewer = table("global_zeros", [cheetah]).iloc[0]
    assert fewer.verdict == "differs: 17 fewer in J_s" and "No step of these data is free" in fewer.explanation
    unknown = summarised(never).assign_attrs({**ATTRS, "task": "FishSwim"})
    assert table("global_zeros", [unknown]).iloc[0].verdict == "not in the paper"


def test_the_table_of_zero_fractions_compares_figure_3_of_the_paper(usual):
    assert table("zero_fractions", [summarised(usual)]).empty
    never = summarised([sparsity_store(0, np.zeros((3, 20), bool))], task="ReacherHard")
    assert (table("zero_fractions", [never]).difference == 0).all(), "column 0 is zero off the diagonal, as in the paper"
    fractions = table("zero_fractions", [summarised(usual, task="ReacherHard")]).set_index(["next_variable", "variable"])
    expected = 100 * (1 - 27 / 111)
    assert fractions.percent_zero["qvel:b", "qpos:a"] == pytest.approx(expected)
    assert fractions.difference["qvel:b", "qpos:a"] == pytest.approx(expected - 100)
    assert len(fractions) == 16 and (fractions.difference.abs() > 0).sum() == 3
