"""Tables of one task and policy, on studies of every shape; and the pages that show tables."""

import numpy as np
import pandas as pd
import pytest

from dynamic_sparsity.study.catalogue import TABLES
from dynamic_sparsity.tables import page
from tests.helpers.studies import CASES, made_up, study, table
from tests.helpers.synthetic import THRESHOLDS


def test_tables_of_sparsity_durations_and_patterns():
    stores = study("usual")
    means = table("mean_sparsity", stores["summary"])
    assert len(means) == 3 * len(THRESHOLDS) and (means.main_threshold == "yes").sum() == 3
    assert (means.low <= means.mean_sparsity).all() and (means.mean_sparsity <= means.high).all()
    runs = table("durations", stores["survival"]).set_index("value")
    assert runs.loc["zero", "median"] == 3 and np.isnan(runs.loc["zero", "share_beyond_10"])
    rates = table("temporal", stores["patterns"]).iloc[0]
    assert rates.distinct_patterns == 2 and rates.observed_loaded == 1 and rates.switches == 49
    listed = table("patterns", stores["patterns"])
    assert listed.followers.tolist() == ["1 (27)", "0 (22)"] and listed.share.sum() == pytest.approx(1)


def test_pages_escape_and_mark_what_is_missing():
    frame = pd.DataFrame({"a_b": ["<x>"], "n": [float("nan")], "m": [0.123456]})
    text = page.render(frame, "First.\n\nSecond & last.")
    assert "&lt;x&gt;" in text and ">–</td>" in text and "0.1235" in text and "Second &amp; last." in text


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("name", "source"), [(name, made_up(row.reads)) for name, row in TABLES.items() if made_up(row.reads)]
)
def test_every_table_can_be_made_of_every_study(case, name, source):
    assert len(page.render(table(name, study(case)[source]), "Caption.")) > 200
