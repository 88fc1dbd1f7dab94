"""Tables of the comparison of methods: zeros and errors by method, and rough steps."""

import numpy as np
import pytest

from dynamic_sparsity.tables import method_ablation as table
from dynamic_sparsity.tables import roughness as roughness_table
from tests.helpers.ablations import OTHER, TRUTH, compared


@pytest.fixture
def finite():
    return compared(differences=TRUTH, finite=OTHER)


def test_the_table_says_what_it_holds(finite):
    frame = table.build([finite], {})
    assert (
        list(frame.threshold) == [1e-12, 1e-8] and set(frame.way) == {"finite"} and set(frame.reference) == {"differences"}
    )
    np.testing.assert_allclose(frame.set_index("threshold").same_pattern[1e-12], 0.5)
    (sentence,) = table.sentences(frame)
    assert sentence == (
        "T, expert: finite against differences: 50.0% of the smooth steps are off by more than 1 %, 50.0% by more than 10 %;"
        " the median error is 0.1; 50.0% (0.0% to 100.0%) of the steps have a non-finite entry and are left out."
        " Rough steps: 16.7% (0.0% to 33.3%)."
    )
    exact = table.sentences(table.build([compared(differences=TRUTH, exact=TRUTH, unrolled=TRUTH)], {}))[-1]
    assert exact.endswith("at 1e-12 100.0% of the steps have the same zeros.")


def test_roughness_is_told_with_and_without_constraints(finite):
    frame = roughness_table.build([finite], {})
    (row,) = frame.to_dict("records")
    np.testing.assert_allclose([row["rough"], row["rough_constrained"], row["rough_free"]], [1 / 6, 1 / 2, 0])
    assert row["steps"] == 4 and row["unconverged"] == 0.25
    assert roughness_table.sentences(frame) == [
        "T, expert: 16.7% of the steps are rough (0.0% to 33.3%); with an active constraint 50.0%, without one 0.0%."
    ]
