"""Scores of single episodes, by condition, and the conditions themselves."""

import numpy as np
import pytest

from dynamic_sparsity.world_models import episode_scores, episodes, scores
from dynamic_sparsity.world_models.data import Transitions
from tests.helpers.systems import STEPS


def test_conditions_are_those_of_the_constraints(seeds):
    episode = seeds["sparsity"][0].isel(episode=1)
    found = episodes.conditions(episode)
    touching = episode.constraint_active.values[:, 0]
    np.testing.assert_array_equal(found["contact"], touching)
    np.testing.assert_array_equal(found["free"], ~touching)
    assert found["all"].all() and not found["limit"].any()
    switched = np.flatnonzero(np.diff(touching.astype(int))) + 1
    near = [min(abs(switched - step)) <= 2 for step in range(STEPS)]
    np.testing.assert_array_equal(found["near_switch"], near)


def test_durations_are_those_of_all_entries():
    zero = np.zeros((5, 1, 2), bool)
    zero[1:3, 0, 1] = True
    known = np.ones(5, bool)
    assert sorted(episode_scores._durations(zero, known)) == [1, 2, 2, 5]
    known[2] = False
    assert sorted(episode_scores._durations(zero, known)) == [1, 1, 2, 2, 2], (
        "no run goes on across a step that is not known"
    )
    assert len(episode_scores._durations(zero, ~np.ones(5, bool))) == 0


def test_scores_by_condition_are_those_of_the_steps_alone():
    rng = np.random.default_rng(0)
    magnitude = rng.integers(0, 6, (40, 3, 4)) / 5.0  # with ties
    zero = rng.random((40, 3, 4)) < 0.4
    chosen = {"all": np.ones(40, bool), "some": rng.random(40) < 0.5, "none": np.zeros(40, bool)}
    episode = episodes.Episode(np.zeros((40, 3, 4)), zero, chosen)
    for here, found in zip(chosen.values(), episode_scores._by_condition(magnitude, episode, 0.3), strict=True):
        if not here.any():
            assert all(np.isnan(score) for score in found.values())
            continue
        part = magnitude[here], zero[here]
        for name in ("auroc", "auroc_by_step", "auroc_by_entry", "average_precision", "leakage"):
            assert found[name] == pytest.approx(getattr(scores, name)(*part)), name
        oracle = scores.auroc(scores.static_oracle(zero, here)[here], zero[here])
        assert found["skill"] == pytest.approx(scores.skill(scores.auroc(*part), oracle))


def test_a_model_that_is_not_finite_scores_nothing_and_stops_nothing(seeds):
    (episode,) = episodes.truth_of_episodes(Transitions.of_stores(*seeds.values(), change=False), seeds["sparsity"], [0])
    broken = np.full(episode.zero.shape, np.nan)
    found = episode_scores.score_episode({"scaled": broken}, {"scaled": 0.0}, episode, [0])
    assert found.auroc.isnull().all()
