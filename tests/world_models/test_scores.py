"""Recovery scores, compared with brute force and with known cases."""

import itertools

import numpy as np
import pytest

from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.thresholds import matched_threshold

STEPS, OUT, IN = 30, 3, 4


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    zero = rng.random((STEPS, OUT, IN)) < rng.random((OUT, IN))
    jacobian = np.where(zero, 0, rng.normal(size=zero.shape))
    return zero, jacobian


def brute_auroc(magnitude, zero):
    pairs = list(itertools.product(magnitude[~zero], magnitude[zero]))
    return np.mean([float(a > b) + 0.5 * (a == b) for a, b in pairs])


def test_aurocs_equal_brute_force_over_all_pairs(truth):
    zero, _ = truth
    magnitude = np.random.default_rng(1).integers(0, 5, zero.shape).astype(float)
    np.testing.assert_allclose(scores.auroc(magnitude, zero), brute_auroc(magnitude.ravel(), zero.ravel()))
    by_step = [brute_auroc(m.ravel(), z.ravel()) for m, z in zip(magnitude, zero, strict=True) if 0 < z.sum() < z.size]
    np.testing.assert_allclose(scores.auroc_by_step(magnitude, zero), np.mean(by_step))
    entries = [(magnitude[:, o, i], zero[:, o, i]) for o in range(OUT) for i in range(IN)]
    by_entry = [brute_auroc(m, z) for m, z in entries if 0 < z.sum() < z.size]
    np.testing.assert_allclose(scores.auroc_by_entry(magnitude, zero), np.mean(by_entry))


def test_the_truth_scores_one(truth):
    zero, jacobian = truth
    magnitude = np.abs(jacobian)
    for score in (scores.auroc, scores.auroc_by_step, scores.auroc_by_entry, scores.average_precision):
        assert score(magnitude, zero) == pytest.approx(1)
    assert scores.zero_f1(magnitude, zero, 0.0) == 1
    assert scores.leakage(magnitude, zero) == 0 and scores.relative_error(jacobian, jacobian) == 0
    assert scores.relative_error(np.zeros_like(jacobian), jacobian) == 1


def test_a_constant_predictor_never_looks_good(truth):
    """However good its one Jacobian is, it has no skill relative to the entries' frequencies, and none over time."""
    zero, _ = truth
    oracle = scores.static_oracle(zero, np.ones(len(zero), bool))
    assert scores.auroc(oracle, zero) > 0.7
    assert scores.auroc_by_entry(oracle, zero) == 0.5
    assert scores.skill(scores.auroc(oracle, zero), scores.auroc(oracle, zero)) == 0
    constant = np.broadcast_to(np.random.default_rng(2).random((OUT, IN)), zero.shape)
    assert scores.skill(scores.auroc(constant, zero), scores.auroc(oracle, zero)) < 0
    assert scores.auroc_by_entry(oracle, zero) == scores.auroc_by_entry(constant, zero) == 0.5
    assert np.isnan(scores.skill(1.0, 1.0))


@pytest.mark.parametrize(
    ("score", "oracle", "skill"),
    [(1.0, 0.8, 1), (0.9, 0.8, 0.5), (0.8, 0.8, 0), (0.65, 0.8, -0.5), (0.5, 0.99, -1), (0.2, 0.8, -1), (0.4, 0.5, -1)],
)
def test_skill_is_between_chance_and_the_truth(score, oracle, skill):
    assert scores.skill(score, oracle) == pytest.approx(skill)
    assert np.isnan(scores.skill(np.nan, oracle)) and np.isnan(scores.skill(score, np.nan))


def test_noise_is_at_chance():
    rng = np.random.default_rng(3)
    zero, magnitude = rng.random((400, OUT, IN)) < 0.3, rng.random((400, OUT, IN))
    assert scores.auroc(magnitude, zero) == pytest.approx(0.5, abs=0.02)
    assert scores.leakage(magnitude, zero) == pytest.approx(0.3, abs=0.02)
    assert scores.average_precision(magnitude, zero) == pytest.approx(0.7, abs=0.02)


def test_the_matched_threshold_gives_the_true_sparsity(truth):
    zero, _ = truth
    magnitude = np.random.default_rng(4).random(zero.shape)
    threshold = matched_threshold(magnitude, zero)
    assert (magnitude <= threshold).sum() == pytest.approx(zero.sum(), abs=1)
    detected, true = (magnitude <= threshold).ravel(), zero.ravel()
    precision, recall = (detected & true).sum() / detected.sum(), (detected & true).sum() / true.sum()
    np.testing.assert_allclose(scores.zero_f1(magnitude, zero, threshold), 2 * precision * recall / (precision + recall))


def test_one_kind_of_entry_has_no_score():
    magnitude = np.random.default_rng(0).random((3, 2, 2))
    nowhere, everywhere = np.zeros((3, 2, 2), bool), np.ones((3, 2, 2), bool)
    for score in (scores.auroc, scores.auroc_by_step, scores.auroc_by_entry, scores.average_precision):
        assert np.isnan(score(magnitude, nowhere)) and np.isnan(score(magnitude, everywhere))
    assert np.isnan(scores.zero_f1(magnitude, nowhere, 0.5)) and np.isnan(scores.leakage(0 * magnitude, everywhere))


def events(*steps, length=20):
    return np.isin(np.arange(length), steps)


def test_switches_are_matched_one_to_one():
    true = events(5, 10, 11)
    assert scores.switch_detection(events(5, 10, 11), true, 0) == (1, 1)
    assert scores.switch_detection(events(6, 9), true, 0) == (0, 0)
    assert scores.switch_detection(events(6, 9), true, 1) == (1, 2 / 3)
    assert scores.switch_detection(events(10, 12), true, 1) == (1, 2 / 3)
    assert scores.switch_detection(events(4, 5, 6), true, 2) == (1 / 3, 1 / 3), "a true switch matches only one of three"
    assert np.isnan(scores.switch_detection(events(), true, 1)[0]) and scores.switch_detection(events(), true, 1)[1] == 0
    assert np.isnan(scores.switch_detection(true, events(), 1)[1])


def test_switches_are_where_any_entry_changes():
    zero = np.zeros((5, 2, 2), bool)
    zero[2:4, 1, 0] = True
    known = np.ones(5, bool)
    np.testing.assert_array_equal(scores.switches(zero, known), [False, False, True, False, True])
    known[1] = False
    np.testing.assert_array_equal(scores.switches(zero, known), [False, False, False, False, True])


def test_duration_distance_is_the_mean_shift():
    assert scores.duration_distance(np.array([1, 3]), np.array([3, 5])) == 2
    assert np.isnan(scores.duration_distance(np.array([]), np.array([1.0])))


def test_zeros_by_threshold_by_hand():
    magnitude = np.array([[[0.0, 1e-3], [0.5, 2.0]]])
    zero = np.array([[[True, False], [True, False]]])
    relative, f1 = scores.zeros_by_threshold(magnitude, zero, [1e-6, 1e-2, 1.0, 10.0])
    np.testing.assert_allclose(relative, [0.5, 1, 1.5, 2])
    np.testing.assert_allclose(f1, [2 / 3, 0.5, 0.8, 2 / 3])
    assert np.isnan(scores.zeros_by_threshold(magnitude, ~(zero | True), [1.0])).all()
