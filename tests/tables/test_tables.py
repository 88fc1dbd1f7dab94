"""Tables of one task at a time: the others, and every one of them on studies of all shapes."""

import numpy as np
import pandas as pd
import pytest

from dynamic_sparsity.tables import page
from tests.helpers.studies import studied, table, touching
from tests.helpers.synthetic import THRESHOLDS, sparsity_store


@pytest.fixture(scope="module")
def usual():
    return [sparsity_store(0, touching(3, 20)), sparsity_store(1, touching(3, 20), lengths=[20, 11, 20])]


def test_the_other_tables(usual):
    summed, survived, patterned = studied(usual)
    means = table("mean_sparsity", [summed])
    assert len(means) == 3 * len(THRESHOLDS) and (means.main_threshold == "yes").sum() == 3
    assert (means.low <= means.mean_sparsity).all() and (means.mean_sparsity <= means.high).all()
    runs = table("durations", [survived]).set_index("value")
    assert runs.loc["zero", "median"] == 3 and np.isnan(runs.loc["zero", "share_beyond_10"])
    rates = table("temporal", [patterned]).iloc[0]
    assert rates.distinct_patterns == 2 and rates.observed_loaded == 1 and rates.switches == 49
    listed = table("patterns", [patterned])
    assert listed.followers.tolist() == ["1 (27)", "0 (22)"] and listed.share.sum() == pytest.approx(1)


def test_pages_escape_and_mark_what_is_missing():
    frame = pd.DataFrame({"a_b": ["<x>"], "n": [float("nan")], "m": [0.123456]})
    text = page.render(frame, "First.\n\nSecond & last.")
    assert "&lt;x&gt;" in text and "<td>–</td>" in text and "0.1235" in text and "Second &amp; last." in text
