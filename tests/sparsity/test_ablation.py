"""Ways of differentiating compared with their references, on Jacobians written by hand."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.figures import method_ablation as figure
from dynamic_sparsity.figures import roughness as roughness_figure
from dynamic_sparsity.settings.ablation import AblationSettings
from dynamic_sparsity.settings.figures import MethodAblationFigure, RoughnessFigure
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.tables import method_ablation as table
from dynamic_sparsity.tables import roughness as roughness_table

TRUTH = [[[4, 0, 0], [2, 1e-5, 0], [3, 1, 1]], [[1, 1, 0], [np.nan] * 3, [np.nan] * 3]]
OTHER = [[[4, 0, 1e-9], [2.5, 1e-5, 0], [9, 9, 9]], [[1, 1, np.nan], [np.nan] * 3, [np.nan] * 3]]
ROUGHNESS = [[1e-9, 2e-4, 0.5], [1e-8, np.nan, np.nan]]
"""The third step of the first episode is rough."""


def store(roughness=ROUGHNESS, length=(3, 1), **ways):
    """Two episodes of three steps, the second one step long; one row and three columns."""
    names = [way.replace("_", "-") for way in ways]
    roughnesses = [np.array(roughness) if name.startswith("differences") else np.full((2, 3), np.nan) for name in names]
    differences = np.array([[1e-8, 3e-8, 9e-8], [6e-8, np.nan, np.nan]])
    arrays = {
        "jacobian": (("episode", "way", "time", "out_dim", "in_dim"), np.stack(list(ways.values()), 1)[:, :, :, None]),
        "step_difference": (("episode", "way", "time"), np.stack([differences] * len(names), 1)),
        "roughness": (("episode", "way", "time"), np.stack(roughnesses, 1)),
        "constraint_active": (("episode", "time", "constraint"), np.array([[[0], [1], [1]], [[0], [0], [0]]], bool)),
        "solver_converged": (("episode", "time"), np.array([[1, 1, 0], [1, 0, 0]], bool)),
        "length": (("episode",), np.array(length)),
    }
    return xr.Dataset(arrays, coords={"way": names, "episode": [0, 1]})


def compared(**ways):
    """The comparison of one store with these ways, at two thresholds."""
    settings = AblationSettings(thresholds=[1e-12, 1e-8])
    arrays = {way: np.array(jacobian, float) for way, jacobian in ways.items()}
    result = ablation.compare([store(**arrays)], settings, ResamplingSettings(resamples=200))
    result.attrs = {"task": "T", "policy": "expert"}
    return result


@pytest.fixture
def finite():
    return compared(differences=TRUTH, finite=OTHER)


def test_what_differs_is_counted_in_the_smooth_steps_of_every_episode(finite):
    strict, coarse = (finite.sel(threshold=threshold).isel(pair=0) for threshold in (1e-12, 1e-8))
    assert finite.steps == 4
    np.testing.assert_allclose(strict.rough, np.mean([1 / 3, 0]))
    np.testing.assert_allclose(
        strict.nonfinite, np.mean([0, 1]), err_msg="the other episode has an entry that is not finite"
    )
    # Its only step is left out, so the measures below are those of the first episode.
    np.testing.assert_allclose(strict.error_median, np.median([1e-9 / 4, 0.25]))
    np.testing.assert_allclose(strict.error_99, 0.25 * 0.99, rtol=1e-6)
    np.testing.assert_allclose([strict.off_1, strict.off_10], [1 / 2, 1 / 2])
    np.testing.assert_allclose(strict.step_difference, np.mean([3e-8, 6e-8]))
    np.testing.assert_allclose(strict.sparsity, np.mean([1 / 3, 1 / 3]))
    np.testing.assert_allclose(strict.reference_sparsity, np.mean([2 / 3, 1 / 3]))
    np.testing.assert_allclose(strict.disagreeing, np.mean([1 / 3, 0]))
    np.testing.assert_allclose([strict.pattern_off_1, strict.pattern_off_10, strict.same_pattern], 1 / 2)
    np.testing.assert_allclose(strict.pattern_median, np.median([1 / 3, 0]))
    assert coarse.disagreeing == 0 and coarse.same_pattern == 1 and coarse.pattern_off_1 == 0


def test_errors_between_one_and_ten_percent_are_told_apart():
    scaled = np.array(TRUTH)
    scaled[0, 1, 0] *= 1.05
    result = compared(differences=TRUTH, exact=scaled).isel(pair=0, threshold=0)
    np.testing.assert_allclose([result.off_1, result.off_10], [np.mean([1 / 2, 0]), 0])


def test_equal_jacobians_agree():
    result = compared(differences=TRUTH, implicit=TRUTH)
    assert (result.disagreeing == 0).all() and (result.same_pattern == 1).all() and (result.error_99 == 0).all()
    assert (result.off_1 == 0).all() and (result.rough > 0).all()


def test_against_exact_no_step_is_rough():
    result = compared(differences=TRUTH, exact=TRUTH, unrolled=OTHER)
    pair = result.isel(pair=int(np.flatnonzero(result.reference.values == "exact")[0]), threshold=0)
    assert str(pair.way.item()) == "unrolled" and np.isnan(pair.rough)
    np.testing.assert_allclose(pair.off_1, 2 / 3, err_msg="the third step counts as well")


def test_nothing_to_hold_against_the_truth_is_refused():
    for variants in (["differences"], ["differences-converged", "differences"]):
        with pytest.raises(ValueError, match="leaves nothing to hold against 'differences': add 'exact'"):
            AblationSettings(variants=variants)


def test_a_step_without_any_entry_has_no_error():
    zeros = np.array([[[0, 0, 0]] * 3, [[1, 1, 0]] * 3], float)
    result = compared(differences=zeros, implicit=zeros).isel(pair=0)
    np.testing.assert_allclose(result.error_median, 0)
    np.testing.assert_allclose(result.sparsity.sel(threshold=1e-12), np.mean([1, 1 / 3]))


def test_what_is_held_against_what():
    ways = ["differences", "differences-converged", "exact", "unrolled-converged", "finite"]
    assert ablation.pairs_of(ways) == [
        ("exact", "differences"),
        ("unrolled-converged", "differences"),
        ("finite", "differences"),
        ("unrolled-converged", "differences-converged"),
        ("unrolled-converged", "exact"),
        ("finite", "exact"),
    ]
    assert ablation.pairs_of(["differences", "finite"]) == [("finite", "differences")]
    assert AblationSettings(variants=["finite-converged"]).ways == [*ways[:2], "finite-converged"]


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


def test_the_figure_of_roughness_draws_a_line_per_policy(finite):
    noise = finite.assign_attrs(policy="noise")
    (axes,) = [axes for axes in roughness_figure.draw([finite, noise], RoughnessFigure()).axes if axes.get_visible()]
    assert axes.get_title() == "T"
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 4]
    np.testing.assert_allclose(drawn[0].get_xdata(), [1e-9, 1e-8, 2e-4, 0.5])
    np.testing.assert_allclose(drawn[0].get_ydata(), [1, 0.75, 0.5, 0.25], err_msg="share of steps at least as rough")


def test_the_figure_draws_every_way():
    result = compared(differences=TRUTH, differences_converged=TRUTH, exact=TRUTH, finite_converged=OTHER)
    sparsity, same_pattern, errors = figure.draw([result], MethodAblationFigure()).axes
    assert [line.get_label() for line in sparsity.lines] == ["differences", "exact", "finite-converged"]
    assert len(same_pattern.lines) == 2
    names = [text.get_text() for text in errors.get_yticklabels()]
    assert names == ["exact (0% off by 1 %)", "finite-converged (50% off by 1 %)"]
    low, high = errors.lines[3].get_xdata()
    np.testing.assert_allclose([low, high], result[["error_median", "error_99"]].isel(pair=1).to_array())
