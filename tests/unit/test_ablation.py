"""Ways to differentiate, compared, on Jacobians written by hand."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.figure_settings import MethodAblationFigure
from dynamic_sparsity.figures import method_ablation as figure
from dynamic_sparsity.settings import AblationSettings, ResamplingSettings
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.sparsity.tables import method_ablation as table

REFERENCE = [[[4, 0, 0], [2, 1e-5, 0]], [[1, 1, 0], [np.nan, np.nan, np.nan]]]
OTHER = [[[4, 0, 1e-9], [2.5, 1e-5, 0]], [[1, 1, np.nan], [np.nan, np.nan, np.nan]]]


def store(jacobian, length=(2, 1)):
    """Two episodes of two steps, the second one step long; one row and three columns."""
    arrays = {
        "jacobian": (("episode", "time", "out_dim", "in_dim"), np.array(jacobian, float)[:, :, None]),
        "step_difference": (("episode", "time"), np.array([[1e-8, 3e-8], [6e-8, np.nan]])),
        "length": (("episode",), np.array(length)),
    }
    return xr.Dataset(arrays)


def compared(**ways):
    jacobians = {way.replace("_", "-"): [store(jacobian)] for way, jacobian in ways.items()}
    result = ablation.compare(jacobians, AblationSettings(thresholds=[1e-12, 1e-8]), ResamplingSettings(resamples=200))
    result.attrs = {"task": "T", "policy": "expert"}
    return result


@pytest.fixture
def finite():
    return compared(unrolled=REFERENCE, finite=OTHER)


def test_what_differs_is_counted_episode_by_episode(finite):
    strict, coarse = (finite.sel(threshold=threshold).isel(pair=0) for threshold in (1e-12, 1e-8))
    assert finite.steps == 3
    np.testing.assert_allclose(strict.error_median, np.mean([np.median([1e-9 / 4, 0.25]), 0]))
    np.testing.assert_allclose(strict.error_99, np.mean([0.25 * 0.99, 0]), rtol=1e-6)
    np.testing.assert_allclose(strict.step_difference, np.mean([2e-8, 6e-8]))
    np.testing.assert_allclose(strict.nonfinite, np.mean([0, 1 / 3]))
    np.testing.assert_allclose(strict.sparsity, np.mean([2 / 6, 0]))
    np.testing.assert_allclose(strict.reference_sparsity, np.mean([3 / 6, 0]))
    np.testing.assert_allclose(strict.disagreeing, np.mean([1 / 6, 0]))
    np.testing.assert_allclose([strict.disagreeing_low, strict.disagreeing_high], [0, 1 / 6])
    np.testing.assert_allclose(strict.same_pattern, 1 / 2, err_msg="the other episode has no step that is finite throughout")
    assert coarse.disagreeing == 0 and coarse.same_pattern == 1


def test_equal_jacobians_agree():
    result = compared(unrolled=REFERENCE, implicit=REFERENCE)
    assert (result.disagreeing == 0).all() and (result.same_pattern == 1).all() and (result.error_99 == 0).all()


def test_a_step_without_any_entry_has_no_error():
    zeros = [[[0, 0, 0], [0, 0, 0]], [[1, 1, 0], [0, 0, 0]]]
    result = compared(unrolled=zeros, implicit=zeros).isel(pair=0)
    np.testing.assert_allclose(result.error_median, 0)
    np.testing.assert_allclose(result.sparsity.sel(threshold=1e-12), np.mean([1, 1 / 3]))


def test_converged_ways_are_compared_with_their_own_kind_as_well():
    pairs = ablation.pairs_of(["unrolled", "unrolled-converged", "implicit", "finite-converged"])
    assert pairs == [
        ("unrolled-converged", "unrolled"),
        ("implicit", "unrolled"),
        ("finite-converged", "unrolled"),
        ("finite-converged", "unrolled-converged"),
    ]
    assert ablation.pairs_of(["unrolled", "finite-converged"]) == [("finite-converged", "unrolled")]


def test_the_table_says_what_it_holds(finite):
    frame = table.build([finite], {})
    assert list(frame.threshold) == [1e-12, 1e-8] and set(frame.way) == {"finite"} and set(frame.reference) == {"unrolled"}
    np.testing.assert_allclose(frame.set_index("threshold").same_pattern[1e-12], 0.5)
    (sentence,) = table.sentences(frame)
    assert sentence.startswith(
        "T, finite against unrolled: in value it is 0.063 (0 to 0.13) off in the median step and 0.12 (0 to 0.25)"
    )
    assert sentence.endswith("at 1e-12 50.0% of the steps have the same zeros, and at least 99.9% do at 1e-08.")
    (alike,) = table.sentences(table.build([compared(unrolled=REFERENCE, implicit=REFERENCE)], {}))
    assert alike.endswith("100.0% of the steps have the same zeros, and so at every threshold.")


def test_the_figure_draws_every_pair():
    result = compared(unrolled=REFERENCE, unrolled_converged=REFERENCE, finite_converged=OTHER)
    drawn = figure.draw([result], MethodAblationFigure())
    sparsity, same, errors = drawn.axes
    assert [line.get_label() for line in sparsity.lines] == ["unrolled", "unrolled-converged", "finite-converged"]
    assert len(same.lines) == 2
    assert [text.get_text() for text in errors.get_yticklabels()] == [
        "unrolled-converged / unrolled",
        "finite-converged / unrolled",
        "finite-converged / unrolled-converged",
    ]
    low, high = errors.lines[3].get_xdata()
    np.testing.assert_allclose([low, high], result[["error_median", "error_99"]].isel(pair=1).to_array())
