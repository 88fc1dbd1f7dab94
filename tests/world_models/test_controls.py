"""Controls that world models are compared with, and how familiar their test episodes are."""

from dataclasses import replace

import numpy as np
import pytest

from dynamic_sparsity.settings.world_models import WorldModelsSettings
from dynamic_sparsity.world_models.controls import Controls, rollout_errors
from dynamic_sparsity.world_models.data import ROLLOUT_EVERY, Transitions, split_episodes
from dynamic_sparsity.world_models.familiarity import novel_shares
from tests.helpers.systems import STEPS


def test_predicting_controls_are_evaluated_like_models(seeds):
    settings = WorldModelsSettings()
    data = Transitions.of_stores(*seeds.values(), change=False)
    split = split_episodes(data.policies, settings.validation, settings.test, 0)
    training, episode = data.of_episodes(split["training"]), data.of_episodes(split["test"][:1])
    controls = Controls(data, split, [list("abcde"), list("wxyz")])
    design = np.c_[training.inputs, np.ones(len(training.inputs))]
    fit = np.linalg.lstsq(design, training.outputs, rcond=None)[0]
    by_hand = lambda inputs: np.c_[inputs, np.ones(len(inputs))] @ fit  # noqa: E731
    np.testing.assert_allclose(controls.predictors["linear"](episode.inputs), by_hand(episode.inputs), atol=1e-9)
    np.testing.assert_array_equal(controls.predictors["persistence"](episode.inputs), episode.inputs[:, :4])
    scale = training.inputs.std(axis=0)[:4]
    errors = rollout_errors(by_hand, episode, [1, 3, 100], scale)
    deviations = []
    for start in range(0, STEPS - 2, ROLLOUT_EVERY):
        state = episode.inputs[start, :4]
        for step in range(3):
            state = by_hand(np.r_[state, episode.inputs[start + step, 4:]][None])[0]
        deviations.append((state - episode.outputs[start + 2]) / scale)
    np.testing.assert_allclose(errors[1], np.sqrt(np.mean(np.square(deviations))))
    one_step = ((by_hand(episode.inputs) - episode.outputs) / scale)[::ROLLOUT_EVERY]
    np.testing.assert_allclose(errors[0], np.sqrt((one_step**2).mean()))
    assert np.isnan(errors[2])
    assert rollout_errors(lambda inputs: inputs[:, :4] * 1e200, episode, [3], scale) == [np.inf]


def test_episodes_unlike_the_training_episodes_are_recognised(seeds):
    data = Transitions.of_stores(*seeds.values(), change=False)
    training, like = data.of_episodes([0, 1, 2]), data.of_episodes([3])
    far = replace(like, inputs=like.inputs + 10)
    half = replace(like, inputs=like.inputs + 10 * (np.arange(STEPS) < STEPS // 2)[:, None])
    among, away, partly = novel_shares(training, [like, far, half])
    assert among < 0.1 and away == 1 and partly == pytest.approx((among + 1) / 2, abs=0.05)
    controls_only = replace(like, inputs=np.c_[like.inputs[:, :4], like.inputs[:, 4:] + 10])
    assert novel_shares(training, [controls_only]) == among, "only states are compared"
    assert np.isnan(novel_shares(data.of_episodes([0]), [like])).all(), (
        "a single training episode cannot be compared with another"
    )
