"""Steps whose Jacobian is not finite are neither learnt from nor scored."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import WorldModelsSettings, WorldModelTraining
from dynamic_sparsity.world_models import recovery, report
from dynamic_sparsity.world_models.data import Transitions, split_episodes
from dynamic_sparsity.world_models.episodes import truth_of_episodes
from tests.helpers.systems import EPISODES, MASSES


def with_holes(seeds, episodes):
    """The stores with non-finite entries in steps 20 to 22 of these episodes, which are numbered over all seeds."""
    jacobians = [data.copy(deep=True) for data in seeds["jacobians"]]
    sparsity = [data.copy(deep=True) for data in seeds["sparsity"]]
    for number in episodes:
        seed, episode = divmod(number, EPISODES)
        jacobians[seed].jacobian[episode, 20:22, 1, 2], jacobians[seed].jacobian[episode, 22] = np.inf, np.nan
        finite = np.isfinite(jacobians[seed].jacobian)
        sparsity[seed]["finite"], sparsity[seed]["zero"] = finite, sparsity[seed].zero & finite
    return {**seeds, "jacobians": jacobians, "sparsity": sparsity}


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_steps_whose_jacobian_is_not_finite_are_neither_learnt_from_nor_scored(seeds, tmp_path, part):
    training = WorldModelTraining(epochs=3, batch=32)
    models = {"mlp": {"width": 8, "jacobian_loss": "mse"}}
    settings = WorldModelsSettings(training=training, seeds=[0], horizons=[1, 5, 100], models=models)
    split = split_episodes(["expert"] * 2 * EPISODES, settings.validation, settings.test, 0)
    holes = split[part][:2]
    holed = with_holes(seeds, holes)

    def model_of(stores, name):
        store = report.trained_and_evaluated(settings.models["mlp"], settings, stores, MASSES, 0, tmp_path / name)
        return store.assign_attrs(model="mlp", training_seed=0)

    def scores_of(model, stores):
        data = Transitions.of_stores(*stores.values(), change=False)
        scored = recovery.scores_of_all([model], data, stores["sparsity"], settings)
        return {name: by_seed.assign_coords(episode=split["test"]) for name, (by_seed,) in scored.items()}

    model_of_whole, model_of_holed = model_of(seeds, "whole"), model_of(holed, "holed")
    for name in ("history", "jacobian", "prediction", "matched_threshold"):
        assert np.isfinite(model_of_holed[name]).all(), name
    same = np.array_equal(model_of_whole.history, model_of_holed.history)
    assert same == (part == "test"), "training depends on the steps left out of its parts, but not on test episodes"
    on_holed, on_whole = scores_of(model_of_whole, holed), scores_of(model_of_whole, seeds)
    for name, scored in on_holed.items():
        assert scored.auroc.sel(basis="scaled", condition="all").notnull().all(), name
        assert (scored.isnull() == on_whole[name].isnull()).all().to_array().all(), name
    if part == "test":
        untouched = [number for number in split["test"] if number not in holes]
        for name, scored in on_holed.items():
            xr.testing.assert_equal(scored.sel(episode=untouched), on_whole[name].sel(episode=untouched))
        truth = on_holed["truth"].sel(basis="scaled")
        assert (truth.auroc.sel(condition="all") == 1).all() and (truth.duration_distance == 0).all()
        assert ((truth.switch_precision == 1) & (truth.switch_recall == 1)).all()


def test_steps_that_are_not_finite_make_no_switch_and_meet_no_condition(seeds):
    holed_stores = with_holes(seeds, [1])
    data = Transitions.of_stores(*holed_stores.values(), change=False)
    assert (~data.known).sum() == 3 and np.isfinite(data.part({"training": [0, 1]}, "training").jacobian).all()
    (whole,) = truth_of_episodes(data, seeds["sparsity"], [1])
    (with_hole,) = truth_of_episodes(data, holed_stores["sparsity"], [1])
    assert np.flatnonzero(~with_hole.known).tolist() == [20, 21, 22]
    for name, steps in with_hole.conditions.items():
        assert not steps[20:23].any() and not (steps & ~whole.conditions[name]).any(), name


def test_a_part_without_finite_jacobians_is_named(seeds):
    jacobians = [xr.full_like(data, np.nan).assign(length=data.length) for data in seeds["jacobians"]]
    data = Transitions.of_stores(seeds["rollouts"], jacobians, seeds["sparsity"], change=False)
    with pytest.raises(UserError, match=r"no step of the training episodes \[0, 1\] has a Jacobian that is finite"):
        data.part({"training": [0, 1]}, "training")
