"""Networks, losses and training of world models, on a small system whose zeros are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelTraining
from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.data import Standardiser, split_episodes
from dynamic_sparsity.world_models.evaluation import Evaluator
from dynamic_sparsity.world_models.losses import (
    JACOBIAN_LOSSES,
    jacobian_loss,
    prediction_and_columns,
    random_columns,
)
from dynamic_sparsity.world_models.training import DIVERGED, STOPPED, Trainer, build
from tests.helpers.systems import IN, OUT, parts, parts_of, switched
from tests.helpers.systems import SWITCHED as TREE


def model(**settings):
    return WorldModelSettings.model_validate({"width": 16, "depth": 1, **settings})


def test_masks_below_the_budget_cost_nothing():
    data = parts(switched())
    chosen = jnp.arange(10)

    def loss(**penalty):
        trainer = Trainer(model(network="attention", **penalty), WorldModelTraining(), data, TREE, 0)
        return float(trainer._loss(trainer._state[0], trainer._data["training"], chosen, jax.random.key(0)))

    free = loss(mask_weight=0)
    assert loss(mask_weight=1, mask_budget=1.0) == free
    assert free < loss(mask_weight=1, mask_budget=0.3) < loss(mask_weight=1)


@pytest.mark.parametrize("kind", JACOBIAN_LOSSES)
def test_random_columns_agree_with_all_of_them_in_expectation(kind):
    network = build(model(), TREE, seed=1)
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(OUT, IN)) * (rng.random((OUT, IN)) < 0.5)
    x, zero = jnp.asarray(rng.normal(size=IN)), (truth == 0).astype(float)

    def loss(*columns):
        chosen = list(columns)
        _, predicted = prediction_and_columns(network, x, jax.random.key(0), jnp.array(chosen))
        return float(
            jacobian_loss(kind, predicted, jnp.asarray(truth.T[chosen]), jnp.asarray(zero.T[chosen]), jnp.mean(zero))
        )

    on_all = loss(*range(IN))
    np.testing.assert_allclose(np.mean([loss(column) for column in range(IN)]), on_all, rtol=1e-12)
    jacobian = np.asarray(jax.jacfwd(network)(x))
    by_hand = {
        "mse": ((jacobian - truth) ** 2).mean(),
        "mae": np.abs(jacobian - truth).mean(),
        "l1": np.abs(jacobian).mean(),
        "sae": np.abs(jacobian)[truth == 0].mean(),
    }
    np.testing.assert_allclose(on_all, by_hand[kind], rtol=1e-12)


@pytest.mark.parametrize("kind", JACOBIAN_LOSSES)
def test_the_loss_on_all_columns_is_the_mean_over_random_ones_in_training(kind):
    data = parts(switched())

    def loss(columns, key):
        trainer = Trainer(model(jacobian_loss=kind, jacobian_columns=columns), WorldModelTraining(), data, TREE, 0)
        part = trainer._data["training"]
        return trainer._loss(trainer._state[0], part, jnp.arange(len(part.x)), key)

    drawn = [float(loss(2, jax.random.key(number))) for number in range(30)]
    on_all = float(loss(None, jax.random.key(0)))
    assert abs(np.mean(drawn) - on_all) < 4 * np.std(drawn) / np.sqrt(len(drawn))
    assert np.std(drawn) < 0.2 * on_all


def test_relative_errors_are_plain_up_to_one_and_have_no_units_above():
    data = parts(switched())

    def loss(errors, factor=1.0, kind="mse"):
        scaled = {part: replace(steps, jacobian=steps.jacobian * factor) for part, steps in data.items()}
        settings = model(jacobian_loss=kind, jacobian_columns=None, jacobian_errors=errors)
        trainer = Trainer(settings, WorldModelTraining(), scaled, TREE, 0)
        state = jax.tree.map(jnp.zeros_like, trainer._state[0])  # a network that predicts 0 everywhere
        return float(trainer._loss(state, trainer._data["training"], jnp.arange(40), jax.random.key(0)))

    largest = np.abs(data["training"].jacobian).max()
    small = 0.9 / largest
    state = loss("plain", 0.0)
    for kind in ("mse", "mae"):
        assert loss("relative", small, kind) == loss("plain", small, kind) > state
    np.testing.assert_allclose(loss("relative", 100.0), loss("relative", 1e4), rtol=1e-5)
    assert loss("plain", 1e4) - state > 1e3 * (loss("plain", 100.0) - state)
    assert loss("relative", 100.0, "l1") == loss("plain", 100.0, "l1"), "l1 compares with no true Jacobian"


def test_columns_are_drawn_with_equal_chances():
    draws = np.asarray(random_columns(jax.random.key(0), 3000, IN, 2))
    assert (draws[:, 0] != draws[:, 1]).all()
    np.testing.assert_allclose(np.bincount(np.ravel(draws), minlength=IN) / draws.size, 1 / IN, atol=0.02)
    np.testing.assert_array_equal(random_columns(jax.random.key(0), 2, IN, None), [np.arange(IN)] * 2)


def test_episodes_are_split_without_overlap():
    split = split_episodes(["expert"] * 11, 0.2, 0.3, seed=4)
    assert sorted(episode for part in split.values() for episode in part) == list(range(11))
    assert [len(split[part]) for part in ("training", "validation", "test")] == [6, 2, 3]
    assert split != split_episodes(["expert"] * 11, 0.2, 0.3, seed=5)
    assert [len(part) for part in split_episodes(["expert"] * 3, 0.9, 0.9, seed=0).values()] == [1, 1, 1]
    with pytest.raises(UserError, match=r"2 episodes cannot be split.*raise rollouts.episodes"):
        split_episodes(["expert"] * 2, 0.2, 0.2, seed=0)


def test_every_part_has_its_share_of_every_policy():
    policies = ["expert"] * 10 + ["noise"] * 5 + ["zero"] * 5
    split = split_episodes(policies, 0.2, 0.4, seed=1)
    counts = {
        part: [[policies[n] for n in numbers].count(p) for p in ("expert", "noise", "zero")]
        for part, numbers in split.items()
    }
    assert counts == {"training": [4, 2, 2], "validation": [2, 1, 1], "test": [4, 2, 2]}


def test_standardised_jacobians_belong_to_standardised_variables():
    data = switched()
    standardised = Standardiser.of(data, "abcde", "xyz")(data)
    np.testing.assert_allclose(standardised.inputs.std(axis=0), 1)
    free = data.inputs[:, 0] < 0
    slope = np.linalg.lstsq(
        np.column_stack([standardised.inputs[free], np.ones(free.sum())]), standardised.outputs[free], rcond=None
    )[0][:IN].T
    np.testing.assert_allclose(standardised.jacobian[free][0], slope, atol=1e-12)


def test_a_constant_variable_is_named():
    data = switched()
    data.inputs[:, 3] = 2.5
    with pytest.raises(UserError, match=r"input d is constant \(2.5\)"):
        Standardiser.of(data, "abcde", "xyz")


def test_training_lowers_the_loss_and_stops_early():
    data = parts(switched())
    trained = Trainer(model(), WorldModelTraining(epochs=300, batch=32, patience=5, learning_rate=0.02), data, TREE, 0).run()
    training, validation = trained.history.T
    assert training[-1] < 0.1 * training[0] and trained.ended == STOPPED
    assert int(validation.argmin()) == len(validation) - 6, "it stopped five epochs after the best"
    x, y = (jnp.asarray(array) for array in (data["validation"].inputs, data["validation"].outputs))
    np.testing.assert_allclose(jnp.mean((jax.vmap(trained.network)(x) - y) ** 2), validation.min(), rtol=1e-4)


def test_an_interrupted_training_ends_like_an_uninterrupted_one(tmp_path):
    data, settings = parts(switched()), WorldModelTraining(epochs=6, batch=64)
    whole = Trainer(model(), settings, data, TREE, 3).run()
    path = tmp_path / "checkpoint.safetensors"
    interrupted = Trainer(model(), settings, data, TREE, 3, path)
    keep = interrupted._keep

    def keep_and_stop():
        keep()
        _stop_at(interrupted, 4)

    interrupted._keep = keep_and_stop
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    resumed = Trainer(model(), settings, data, TREE, 3, path).run()
    np.testing.assert_allclose(resumed.history, whole.history, rtol=1e-6)
    again = Trainer(model(), settings, data, TREE, 4, path).run()
    assert not np.allclose(again.history[0], whole.history[0]), "a training with another seed starts anew"
    path.write_bytes(path.read_bytes()[:-10])
    np.testing.assert_allclose(Trainer(model(), settings, data, TREE, 3, path).run().history, whole.history, rtol=1e-6)


def test_a_checkpoint_of_other_data_is_not_resumed(tmp_path, capsys):
    settings = WorldModelTraining(epochs=3, batch=64)
    path = tmp_path / "checkpoint"
    first = Trainer(model(), settings, parts(switched()), TREE, 0, path).run()
    second = Trainer(model(), settings, parts(switched(seed=9)), TREE, 0, path).run()
    assert "belongs to another training: started anew" in capsys.readouterr().out
    assert not np.array_equal(first.history, second.history)


def _stop_at(trainer, epoch):
    if len(trainer._history) == epoch:
        raise KeyboardInterrupt


def test_a_diverging_run_says_so_and_keeps_finite_weights():
    data = parts(switched())
    trained = Trainer(model(), WorldModelTraining(epochs=50, batch=32, learning_rate=1e30), data, TREE, 0).run()
    assert trained.ended == DIVERGED
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(nnx.state(trained.network)))


@pytest.mark.parametrize("kind", JACOBIAN_LOSSES)
def test_jacobian_losses_train(kind):
    settings = model(jacobian_loss=kind, jacobian_columns=2)
    trained = Trainer(
        settings, WorldModelTraining(epochs=20, batch=32, learning_rate=0.01), parts(switched()), TREE, 0
    ).run()
    assert trained.history[-1, 0] < trained.history[0, 0]


@pytest.fixture(scope="module")
def on_the_switched_system():
    """Scores of test steps by model: AUROC of the Jacobian, F1 of its exact zeros, AUROC of masks."""
    training = WorldModelTraining(epochs=60, batch=32, patience=60, learning_rate=0.003)
    models = {"mlp": {}, "untrained": {"trained": False}, "gated": {"network": "gated", "width": 256, "mask_weight": 0.1}}
    data = switched(steps=2000)
    standardised, standardise, test = parts_of(data, 0)
    scored = {}
    for name, settings in models.items():
        network = model(**{"width": 64, "depth": 2, **settings})
        evaluator = Evaluator(Trainer(network, training, standardised, TREE, 0).run().network, standardise, change=False)
        magnitude, masks = np.abs(evaluator.jacobians(test)), evaluator.masks(test)
        of_masks = np.nan if masks is None else scores.auroc(masks.astype(float), test.zero)
        scored[name] = scores.auroc(magnitude, test.zero), scores.zero_f1(magnitude, test.zero, 1e-6), of_masks
    return scored


def test_an_untrained_network_is_about_chance_and_a_trained_one_is_not(on_the_switched_system):
    auroc = {name: scored[0] for name, scored in on_the_switched_system.items()}
    assert 0.35 < auroc["untrained"] < 0.65 and auroc["mlp"] > 0.95


def test_learnt_masks_have_zeros_where_the_mlp_has_none(on_the_switched_system):
    _, exact, masks = on_the_switched_system["gated"]
    assert exact > 0.9 and masks > 0.95
    assert on_the_switched_system["mlp"][1] < 0.1
