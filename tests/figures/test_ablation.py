"""Figures of the comparison of methods: zeros and errors by method, and rough steps."""

import numpy as np

from dynamic_sparsity.figures import method_ablation as figure
from dynamic_sparsity.figures import roughness as roughness_figure
from tests.helpers.ablations import OTHER, TRUTH, compared


def test_the_figure_of_roughness_draws_a_line_per_policy():
    finite = compared(differences=TRUTH, finite=OTHER)
    noise = finite.assign_attrs(policy="noise")
    (axes,) = [axes for axes in roughness_figure.draw([finite, noise], smallest=1e-12).axes if axes.get_visible()]
    assert axes.get_title() == "T"
    drawn = [line for line in axes.lines if np.size(line.get_xdata()) == 4]
    np.testing.assert_allclose(np.asarray(drawn[0].get_xdata()), [1e-9, 1e-8, 2e-4, 0.5])
    shares = np.asarray(drawn[0].get_ydata())
    np.testing.assert_allclose(shares, [1, 0.75, 0.5, 0.25], err_msg="share of steps at least as rough")


def test_the_figure_draws_every_way():
    result = compared(differences=TRUTH, differences_converged=TRUTH, exact=TRUTH, finite_converged=OTHER)
    sparsity, same_pattern, errors = figure.draw([result], smallest_error=1e-16).axes
    assert [line.get_label() for line in sparsity.lines] == ["differences", "exact", "finite-converged"]
    assert len(same_pattern.lines) == 2
    names = [text.get_text() for text in errors.get_yticklabels()]
    assert names == ["exact (0% off by 1 %)", "finite-converged (50% off by 1 %)"]
    low, high = np.asarray(errors.lines[3].get_xdata())
    np.testing.assert_allclose([low, high], result[["error_median", "error_99"]].isel(pair=1).to_array())
