"""The figure of null models."""

import numpy as np
import pytest

from dynamic_sparsity.figures import clustering
from tests.helpers.studies import CASES, clustered, study


def test_every_effect_is_drawn_or_crossed_out():
    still = CASES["nothing ever switches"]()
    stores = [clustered(study("usual")["sparsity"], task="CheetahRun"), clustered(still, task="ReacherHard")]
    figure = clustering.draw(stores, null_intervals=True)
    assert len(figure.axes) == 4
    for axes, name in zip(figure.axes, stores[0].null_model.values, strict=True):
        points = np.concatenate([line.get_xydata() for line in axes.lines if line.get_marker() == "s"])
        assert points.tolist() == [[pytest.approx(stores[0].effect.sel(null_model=name).item()), 0]]
        crosses = [np.asarray(line.get_ydata()).tolist() for line in axes.lines if line.get_marker() == "x"]
        assert crosses == [[1]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["CheetahRun", "ReacherHard"]


@pytest.mark.parametrize("null_intervals", [True, False])
def test_null_intervals_are_drawn_where_asked_for(null_intervals):
    figure = clustering.draw([clustered(study("usual")["sparsity"])], null_intervals=null_intervals)
    bars = [len(axes.collections) for axes in figure.axes]
    assert bars == [1 + null_intervals] * 4
