"""Ways of differentiating compared with their references, on Jacobians written by hand."""

import numpy as np
import pytest

from dynamic_sparsity.settings.ablation import AblationSettings
from dynamic_sparsity.sparsity import ablation
from tests.helpers.ablations import OTHER, TRUTH, compared


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
        with pytest.raises(ValueError, match="leaves nothing to compare with 'differences': add 'exact'"):
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
