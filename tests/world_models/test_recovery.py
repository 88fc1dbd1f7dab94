"""Training, evaluation and scores of models and controls, on two colliding masses."""

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


@pytest.fixture(scope="module", params=["next_state", "change"])
def study(request, seeds, tmp_path_factory):
    """The settings, and the stores of two trained models."""
    settings = WorldModelsSettings(
        target=request.param,
        models={"mlp": {"width": 32, "depth": 1}, "gated": {"network": "gated", "width": 32}},
        training=WorldModelTraining(epochs=120, batch=32, learning_rate=0.01),
        seeds=[0],
        horizons=[1, 5, 100],
    )
    stores = []
    for name, model in settings.models.items():
        path = tmp_path_factory.mktemp("models") / "checkpoint"
        store = report.trained_and_evaluated(model, settings, seeds, MASSES, 0, path)
        stores.append(store.assign_attrs(model=name, training_seed=0))
    return settings, stores


def test_predictions_are_next_states_in_the_units_of_the_state(study, seeds):
    settings, (mlp, _) = study
    data = Transitions.of_stores(*seeds.values(), change=False)
    number = int(mlp.episode[0])
    truth = data.of_episodes([number])
    predicted = mlp.isel(episode=0)
    errors = (predicted.prediction.values - truth.outputs) / mlp.output_scale.values
    assert np.sqrt((errors**2).mean()) < 0.3
    assert np.abs(predicted.jacobian.values - truth.jacobian)[:, 2, 4].mean() < 0.05, "effect of the control on the velocity"
    np.testing.assert_allclose(
        mlp.output_scale, data.of_episodes(_training_episodes(settings)).outputs.std(axis=0), rtol=1e-6
    )
    first = predicted.rollout_error.sel(horizon=1)
    state_errors = ((errors * mlp.output_scale.values) / mlp.input_scale.values[:4])[::ROLLOUT_EVERY]
    np.testing.assert_allclose(first, np.sqrt((state_errors**2).mean()), rtol=1e-3)
    assert np.isnan(predicted.rollout_error.sel(horizon=100)) and predicted.rollout_error.sel(horizon=5) > first


def _training_episodes(settings):
    return split_episodes(["expert"] * 2 * EPISODES, settings.validation, settings.test, 0)["training"]


def test_truth_scores_one_and_constants_have_no_skill(study, seeds):
    settings, models = study
    data = Transitions.of_stores(*seeds.values(), change=False)
    scored = recovery.scores_of_all(models, data, seeds["sparsity"], settings)
    assert list(scored) == ["mlp", "gated", *recovery.CONTROLS]
    mean = {name: by_seed[0].sel(condition="all").mean("episode") for name, by_seed in scored.items()}
    assert mean["truth"].auroc.sel(basis="scaled") == 1 and mean["truth"].skill_by_entry.sel(basis="scaled") == 1
    assert (mean["truth"].switch_precision.sel(basis="scaled") == 1).all()
    assert mean["truth"].duration_distance.sel(basis="scaled") == 0
    for constant in ("linear", "static_oracle"):
        assert mean[constant].skill_by_entry.sel(basis="scaled") == 0
        assert mean[constant].skill.sel(basis="scaled") <= 0
    assert mean["mlp"].skill_by_entry.sel(basis="scaled") > 0.1, "the MLP has learnt to some extent when the masses touch"
    assert mean["gated"].auroc.sel(basis="mask").notnull() and mean["mlp"].auroc.sel(basis="mask").isnull()
    assert mean["truth"].one_step_error.isnull(), "the truth predicts no state"
    assert mean["mlp"].one_step_error < mean["linear"].one_step_error < mean["persistence"].one_step_error
    assert mean["truth"].zero_f1.sel(basis="scaled") == 1, "at the threshold of the validation episodes"


def test_a_model_of_another_split_is_named(study, seeds):
    settings, (mlp, _) = study
    on_other_episodes = mlp.assign_coords(episode=[99] * mlp.sizes["episode"])
    data = Transitions.of_stores(*seeds.values(), change=False)
    with pytest.raises(UserError, match=r"model mlp, seed 0, was tested on episodes \[99"):
        recovery.scores_of_all([on_other_episodes], data, seeds["sparsity"], settings)


def test_histories_are_ordered_by_model_and_seed(study):
    _, models = study
    histories = recovery.histories(models, ["truth", "gated", "mlp"], [0])
    for store in models:
        losses = histories.isel(model=["truth", "gated", "mlp"].index(store.attrs["model"]), training_seed=0)
        np.testing.assert_array_equal(losses[: store.sizes["epoch"]], store.history)
        assert losses[store.sizes["epoch"] :].isnull().all()
    assert histories[0].isnull().all()


def test_a_store_suffices_to_use_the_model(study, seeds):
    settings, (mlp, gated) = study
    data = Transitions.of_stores(*seeds.values(), change=False)
    split = split_episodes(data.policies, settings.validation, settings.test, 0)
    assert {part: np.flatnonzero(mlp.split == part).tolist() for part in split} == split
    for store in (mlp, gated):
        network = report.with_weights(build(settings.models[store.attrs["model"]], MASSES, 99), store.weights.values)
        episode = data.of_episodes([int(store.episode[0])])
        x = (episode.inputs - store.input_mean.values) / store.input_scale.values
        predicted = (
            np.asarray(jax.vmap(network)(x.astype(np.float32))) * store.target_scale.values + store.target_mean.values
        )
        if settings.target == "change":
            predicted = predicted + episode.inputs[:, :4]
        np.testing.assert_allclose(predicted, store.prediction.values[0], atol=1e-5)
    with pytest.raises(ValueError, match="7 weights for a network that has"):
        report.with_weights(build(settings.models["mlp"], MASSES, 0), np.zeros(7))


def test_scores_of_single_seeds_and_episodes(study, seeds):
    settings, models = study
    data = Transitions.of_stores(*seeds.values(), change=False)
    scored = recovery.scores_of_all(models, data, seeds["sparsity"], settings)
    by_seed = [xr.concat([of_seeds[0] for of_seeds in scored.values()], dim="model").assign_coords(model=list(scored))]
    tested = recovery.tested(data, settings, [0])
    assert tested.test_episode_number.values.tolist() == [models[0].episode.values.tolist()]
    summary = recovery.of_each_seed(by_seed, tested.novel_share.where(False))
    errors = summary.one_step_error_of_episode.sel(model="mlp", condition="all", training_seed=0)
    assert errors.dims == ("test_episode",) and errors.sizes["test_episode"] == models[0].sizes["episode"]
    assert summary.one_step_error_median.sel(model="mlp", condition="all") == errors.median()
    assert summary.one_step_error_of_seed.sel(model="mlp", condition="all").item() == pytest.approx(errors.mean().item())
    of_persistence = summary.one_step_error_of_episode.sel(model="persistence", condition="all").median()
    np.testing.assert_allclose(summary.error_over_persistence.sel(model="mlp"), errors.median() / of_persistence)
    assert (
        summary.error_over_persistence.sel(model="persistence") == 1
        and summary.error_over_persistence.sel(model="truth").isnull()
    )
    assert summary.error_over_persistence.sel(model="mlp") < 0.5 and summary.error_over_linear.sel(model="mlp") < 1
    novel = xr.zeros_like(tested.novel_share) + np.arange(errors.sizes["test_episode"])
    familiar = recovery.of_each_seed(by_seed, novel).one_step_error_median_familiar.sel(model="mlp", condition="all")
    assert familiar == errors[0], "the other episodes are unlike the training episodes"
