"""Scores of single episodes, and the conditions by which they are grouped."""

import numpy as np
import pytest

from dynamic_sparsity.world_models import episode_scores, episodes, scores
from dynamic_sparsity.world_models.data import Transitions
from tests.helpers.systems import STEPS


def test_conditions_follow_the_constraints(seeds):
    episode = seeds["sparsity"][0].isel(episode=1)
    conditions = episodes.conditions(episode)
    touching = episode.constraint_active.values[:, 0]
    np.testing.assert_array_equal(conditions["contact"], touching)
    np.testing.assert_array_equal(conditions["free"], ~touching)
    assert conditions["all"].all() and not conditions["limit"].any()
    switched = np.flatnonzero(np.diff(touching.astype(int))) + 1
    near = [min(abs(switched - step)) <= 2 for step in range(STEPS)]
    np.testing.assert_array_equal(conditions["near_switch"], near)


def test_durations_cover_the_runs_of_all_entries():
    zero = np.zeros((5, 1, 2), bool)
    zero[1:3, 0, 1] = True
    known = np.ones(5, bool)
    assert sorted(episode_scores._durations(zero, known)) == [1, 2, 2, 5]
    known[2] = False
    assert sorted(episode_scores._durations(zero, known)) == [1, 1, 2, 2, 2], (
        "no run goes on across a step that is not known"
    )
    assert len(episode_scores._durations(zero, ~np.ones(5, bool))) == 0


def test_a_condition_s_scores_depend_on_its_steps_only():
    rng = np.random.default_rng(0)
    magnitude = rng.integers(0, 6, (40, 3, 4)) / 5.0  # with ties
    zero = rng.random((40, 3, 4)) < 0.4
    conditions = {"all": np.ones(40, bool), "some": rng.random(40) < 0.5, "none": np.zeros(40, bool)}
    episode = episodes.Episode(np.zeros((40, 3, 4)), zero, conditions)
    for steps, scored in zip(conditions.values(), episode_scores._by_condition(magnitude, episode, 0.3), strict=True):
        if not steps.any():
            assert all(np.isnan(score) for score in scored.values())
            continue
        selected = magnitude[steps], zero[steps]
        for name in ("auroc", "auroc_by_step", "auroc_by_entry", "average_precision", "leakage"):
            assert scored[name] == pytest.approx(getattr(scores, name)(*selected)), name
        oracle = scores.auroc(scores.static_oracle(zero, steps)[steps], zero[steps])
        assert scored["skill"] == pytest.approx(scores.skill(scores.auroc(*selected), oracle))


def test_a_jacobian_that_is_not_finite_gets_no_scores_and_raises_nothing(seeds):
    (episode,) = episodes.truth_of_episodes(Transitions.of_stores(*seeds.values(), change=False), seeds["sparsity"], [0])
    broken = np.full(episode.zero.shape, np.nan)
    scored = episode_scores.score_episode({"scaled": broken}, {"scaled": 0.0}, episode, [0])
    assert scored.auroc.isnull().all()
