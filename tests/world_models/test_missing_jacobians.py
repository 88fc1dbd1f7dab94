"""Steps whose Jacobian is not finite: neither learnt from nor scored."""

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
    """The same stores with some entries of steps 20 to 22 of these episodes (over all seeds) not finite."""
    jacobians = [data.copy(deep=True) for data in seeds["jacobians"]]
    sparsity = [data.copy(deep=True) for data in seeds["sparsity"]]
    for number in episodes:
        seed, episode = divmod(number, EPISODES)
        jacobians[seed].jacobian[episode, 20:22, 1, 2], jacobians[seed].jacobian[episode, 22] = np.inf, np.nan
        wrong = ~np.isfinite(jacobians[seed].jacobian)
        sparsity[seed]["finite"], sparsity[seed]["zero"] = ~wrong, sparsity[seed].zero & ~wrong
    return {**seeds, "jacobians": jacobians, "sparsity": sparsity}


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_steps_whose_jacobian_is_not_finite_are_neither_learnt_from_nor_scored(seeds, tmp_path, part):
    training = WorldModelTraining(epochs=3, batch=32)
    models = {"mlp": {"width": 8, "jacobian_loss": "mse"}}
    chosen = WorldModelsSettings(training=training, seeds=[0], horizons=[1, 5, 100], models=models)
    split = split_episodes(["expert"] * 2 * EPISODES, chosen.validation, chosen.test, 0)
    holes = split[part][:2]
    broken = with_holes(seeds, holes)

    def made(stores, name):
        store = report.trained_and_evaluated(chosen.models["mlp"], chosen, stores, MASSES, 0, tmp_path / name)
        return store.assign_attrs(model="mlp", training_seed=0)

    def scored(stores, model):
        data = Transitions.of_stores(*stores.values(), change=False)
        found = recovery.of_all([model], data, stores["sparsity"], chosen)
        return {name: by_seed.assign_coords(episode=split["test"]) for name, (by_seed,) in found.items()}

    whole, other = made(seeds, "whole"), made(broken, "broken")
    assert all(np.isfinite(other[name]).all() for name in ("history", "jacobian", "prediction", "matched_threshold"))
    same = np.array_equal(whole.history, other.history)
    assert same == (part == "test"), "what is learnt depends on what is left out, and on no test episode"
    ours, theirs = scored(broken, whole), scored(seeds, whole)
    for name, found in ours.items():
        assert found.auroc.sel(basis="scaled", condition="all").notnull().all(), name
        assert (found.isnull() == theirs[name].isnull()).all().to_array().all(), name
    if part == "test":
        untouched = [number for number in split["test"] if number not in holes]
        for name, found in ours.items():
            xr.testing.assert_equal(found.sel(episode=untouched), theirs[name].sel(episode=untouched))
        truth = ours["truth"].sel(basis="scaled")
        assert (truth.auroc.sel(condition="all") == 1).all() and (truth.duration_distance == 0).all()
        assert ((truth.switch_precision == 1) & (truth.switch_recall == 1)).all()


def test_a_hole_makes_no_switch_and_is_of_no_condition(seeds):
    broken = with_holes(seeds, [1])
    data = Transitions.of_stores(*broken.values(), change=False)
    assert (~data.known).sum() == 3 and np.isfinite(data.part({"training": [0, 1]}, "training").jacobian).all()
    (whole,) = truth_of_episodes(data, seeds["sparsity"], [1])
    (holed,) = truth_of_episodes(data, broken["sparsity"], [1])
    assert np.flatnonzero(~holed.known).tolist() == [20, 21, 22]
    for name, here in holed.conditions.items():
        assert not here[20:23].any() and not (here & ~whole.conditions[name]).any(), name


def test_nothing_to_learn_from_is_named(seeds):
    jacobians = [xr.full_like(data, np.nan).assign(length=data.length) for data in seeds["jacobians"]]
    data = Transitions.of_stores(seeds["rollouts"], jacobians, seeds["sparsity"], change=False)
    with pytest.raises(UserError, match=r"no step of the training episodes \[0, 1\] has a Jacobian that is finite"):
        data.part({"training": [0, 1]}, "training")
