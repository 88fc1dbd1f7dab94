"""Recovery of zeros on systems written by hand: what is scored, when, and against which controls."""

import jax
import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import WorldModelsSettings, WorldModelTraining
from dynamic_sparsity.world_models import recovery, report
from dynamic_sparsity.world_models.data import ROLLOUT_EVERY, Transitions, split_episodes
from dynamic_sparsity.world_models.training import build
from tests.helpers.systems import EPISODES, MASSES


def settings(**given):
    training = WorldModelTraining(epochs=120, batch=32, learning_rate=0.01)
    return WorldModelsSettings(training=training, seeds=[0], horizons=[1, 5, 100], **given)


@pytest.fixture(scope="module", params=["next_state", "change"])
def stores(request, seeds, tmp_path_factory):
    chosen = settings(
        target=request.param, models={"mlp": {"width": 32, "depth": 1}, "gated": {"network": "gated", "width": 32}}
    )
    found = []
    for name, model in chosen.models.items():
        path = tmp_path_factory.mktemp("models") / "checkpoint"
        store = report.trained_and_evaluated(model, chosen, seeds, MASSES, 0, path)
        found.append(store.assign_attrs(model=name, training_seed=0))
    return chosen, found


def test_a_model_speaks_of_the_next_state_in_its_units(stores, seeds):
    chosen, (mlp, _) = stores
    data = Transitions.of_stores(*seeds.values(), change=False)
    number = int(mlp.episode[0])
    truth = data.of_episodes([number])
    own = mlp.isel(episode=0)
    off = (own.prediction.values - truth.outputs) / mlp.output_scale.values
    assert np.sqrt((off**2).mean()) < 0.3
    assert np.abs(own.jacobian.values - truth.jacobian)[:, 2, 4].mean() < 0.05, "how the control acts on the velocity"
    np.testing.assert_allclose(mlp.output_scale, data.of_episodes(_training(chosen)).outputs.std(axis=0), rtol=1e-6)
    first = own.rollout_error.sel(horizon=1)
    of_state = ((off * mlp.output_scale.values) / mlp.input_scale.values[:4])[::ROLLOUT_EVERY]
    np.testing.assert_allclose(first, np.sqrt((of_state**2).mean()), rtol=1e-3)
    assert np.isnan(own.rollout_error.sel(horizon=100)) and own.rollout_error.sel(horizon=5) > first


def _training(chosen):
    return split_episodes(["expert"] * 2 * EPISODES, chosen.validation, chosen.test, 0)["training"]


def test_truth_scores_one_and_constants_have_no_skill(stores, seeds):
    chosen, models = stores
    data = Transitions.of_stores(*seeds.values(), change=False)
    scored = recovery.of_all(models, data, seeds["sparsity"], chosen)
    assert list(scored) == ["mlp", "gated", *recovery.CONTROLS]
    mean = {name: by_seed[0].sel(condition="all").mean("episode") for name, by_seed in scored.items()}
    assert mean["truth"].auroc.sel(basis="scaled") == 1 and mean["truth"].skill_by_entry.sel(basis="scaled") == 1
    assert (mean["truth"].switch_precision.sel(basis="scaled") == 1).all()
    assert mean["truth"].duration_distance.sel(basis="scaled") == 0
    for constant in ("linear", "static_oracle"):
        assert mean[constant].skill_by_entry.sel(basis="scaled") == 0
        assert mean[constant].skill.sel(basis="scaled") <= 0
    assert mean["mlp"].skill_by_entry.sel(basis="scaled") > 0.1, "the MLP has learnt something of when they touch"
    assert mean["gated"].auroc.sel(basis="mask").notnull() and mean["mlp"].auroc.sel(basis="mask").isnull()
    assert mean["truth"].one_step_error.isnull(), "it predicts no state"
    assert mean["mlp"].one_step_error < mean["linear"].one_step_error < mean["persistence"].one_step_error
    assert mean["truth"].zero_f1.sel(basis="scaled") == 1, "at the threshold of the validation episodes"


def test_a_model_of_another_split_is_named(stores, seeds):
    chosen, (mlp, _) = stores
    other = mlp.assign_coords(episode=[99] * mlp.sizes["episode"])
    data = Transitions.of_stores(*seeds.values(), change=False)
    with pytest.raises(UserError, match=r"model mlp, seed 0, was tested on episodes \[99"):
        recovery.of_all([other], data, seeds["sparsity"], chosen)


def test_histories_have_their_places(stores):
    _, models = stores
    found = recovery.histories(models, ["truth", "gated", "mlp"], [0])
    for store in models:
        losses = found.isel(model=["truth", "gated", "mlp"].index(store.attrs["model"]), training_seed=0)
        np.testing.assert_array_equal(losses[: store.sizes["epoch"]], store.history)
        assert losses[store.sizes["epoch"] :].isnull().all()
    assert found[0].isnull().all()


def test_a_store_holds_all_that_it_takes_to_use_the_model(stores, seeds):
    chosen, (mlp, gated) = stores
    data = Transitions.of_stores(*seeds.values(), change=False)
    split = split_episodes(data.policies, chosen.validation, chosen.test, 0)
    assert {part: np.flatnonzero(mlp.split == part).tolist() for part in split} == split
    for store in (mlp, gated):
        network = report.with_weights(build(chosen.models[store.attrs["model"]], MASSES, 99), store.weights.values)
        episode = data.of_episodes([int(store.episode[0])])
        x = (episode.inputs - store.input_mean.values) / store.input_scale.values
        predicted = (
            np.asarray(jax.vmap(network)(x.astype(np.float32))) * store.target_scale.values + store.target_mean.values
        )
        if chosen.target == "change":
            predicted = predicted + episode.inputs[:, :4]
        np.testing.assert_allclose(predicted, store.prediction.values[0], atol=1e-5)
    with pytest.raises(ValueError, match="7 weights for a network that has"):
        report.with_weights(build(chosen.models["mlp"], MASSES, 0), np.zeros(7))


def test_what_is_known_of_each_seed_and_episode(stores, seeds):
    chosen, models = stores
    data = Transitions.of_stores(*seeds.values(), change=False)
    scored = recovery.of_all(models, data, seeds["sparsity"], chosen)
    by_seed = [xr.concat([found[0] for found in scored.values()], dim="model").assign_coords(model=list(scored))]
    tested = recovery.tested(data, chosen, [0])
    assert tested.test_episode_number.values.tolist() == [models[0].episode.values.tolist()]
    found = recovery.of_each_seed(by_seed, tested.novel_share.where(False))
    each = found.one_step_error_of_episode.sel(model="mlp", condition="all", training_seed=0)
    assert each.dims == ("test_episode",) and each.sizes["test_episode"] == models[0].sizes["episode"]
    assert found.one_step_error_median.sel(model="mlp", condition="all") == each.median()
    assert found.one_step_error_of_seed.sel(model="mlp", condition="all").item() == pytest.approx(each.mean().item())
    same = found.one_step_error_of_episode.sel(model="persistence", condition="all").median()
    np.testing.assert_allclose(found.error_over_persistence.sel(model="mlp"), each.median() / same)
    assert (
        found.error_over_persistence.sel(model="persistence") == 1
        and found.error_over_persistence.sel(model="truth").isnull()
    )
    assert found.error_over_persistence.sel(model="mlp") < 0.5 and found.error_over_linear.sel(model="mlp") < 1
    novel = xr.zeros_like(tested.novel_share) + np.arange(each.sizes["test_episode"])
    familiar = recovery.of_each_seed(by_seed, novel).one_step_error_median_familiar.sel(model="mlp", condition="all")
    assert familiar == each[0], "the others are unlike those of training"
