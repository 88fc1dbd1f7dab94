"""The figure of what is left of zeros."""

import numpy as np
from matplotlib.text import Annotation

from dynamic_sparsity.figures import horizons
from tests.helpers.studies import multiplied, study, usual_seeds


def test_a_panel_has_the_three_lines_of_its_task_under_its_first_policy():
    [first] = study("usual")["horizons"]
    second = multiplied(usual_seeds()[:1], policy="zero")
    figure = horizons.draw([first, second, second.assign_attrs(task="Other")], log_steps=False)
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["CartpoleBalance, noise", "Other, zero"]
    curves = [line for line in figure.axes[0].lines if len(np.asarray(line.get_ydata())) == first.sizes["step"]]
    for line, name in zip(curves, ("structure", "value", "shuffled"), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), first.left.sel(zeros_by=name))
    heights = sorted(text.xy[1] for text in figure.axes[0].texts if isinstance(text, Annotation))
    assert len(heights) == 3 and (np.diff(heights) > 0.09).all() and heights[-1] <= 1, "labels do not overlap"


def test_a_task_without_zeros_says_so():
    [store] = study("usual")["horizons"]
    figure = horizons.draw([store.assign(first_share=store.first_share * 0)], log_steps=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no zeros"]
