"""The figure of interventions: what its lines show."""

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from dynamic_sparsity.figures import interventions, style
from dynamic_sparsity.settings.figures import FigureStyle
from tests.helpers.interventions import effects, linear, random_effects, summarised

RNG = np.random.default_rng(2)
RANDOM = summarised(random_effects(RNG), random_effects(RNG, episodes=2, seed=1))
DENSE = np.ones((2, 3, 4, 6))


@pytest.mark.parametrize("limits", [True, False])
def test_a_line_per_condition_with_the_shares_of_the_store(limits):
    figure = interventions.draw([RANDOM], limits=limits)
    (axes,) = figure.axes
    names = ["free", "contact", "limit"][: 3 if limits else 2]
    drawn = [container.lines[0] for container in axes.containers if isinstance(container, ErrorbarContainer)]
    for line, name in zip(drawn, names, strict=True):
        np.testing.assert_array_equal(np.asarray(line.get_xdata()), [0, 1, 2])
        np.testing.assert_allclose(np.asarray(line.get_ydata()), 100 * RANDOM.acting.sel(condition=name))
    styles = {line.get_linestyle() for line in drawn}
    assert len(styles) == len(names), "lines differ without colour"
    heights = [text.get_position()[1] for text in axes.texts]
    assert len(heights) == len(names) and min(np.diff(sorted(heights))) >= 0.089 * axes.get_ylim()[1]


def test_a_panel_without_zeros_says_so(tmp_path):
    style.configure(FigureStyle(dpi=40))
    dense = summarised(effects(DENSE, linear(DENSE)))
    figure = interventions.draw([RANDOM, dense], limits=True)
    assert [text.get_text() for text in figure.axes[1].texts] == ["no zero entries"]
    style.save(figure, tmp_path / "a.png", tmp_path / "a.svg", FigureStyle(dpi=40))
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_names_are_moved_apart_within_the_axis():
    assert interventions._apart([0.0, 0.0, 50.0], 100.0) == [0, 9, 50]
    assert interventions._apart([99.0, 100.0], 100.0) == pytest.approx([91, 100])
    assert interventions._apart([], 1.0) == []
