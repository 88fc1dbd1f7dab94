"""Recovery of zeros on systems written by hand: what is scored, when, and against which controls."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings import WorldModelsSettings, WorldModelTraining
from dynamic_sparsity.world_models import recovery, report, scores
from dynamic_sparsity.world_models.data import Transitions, split_episodes
from tests.unit.systems import EPISODES, MASSES, STEPS, colliding_masses


@pytest.fixture(scope="module")
def seeds():
    return dict(zip(("rollouts", "jacobians", "sparsity"), zip(*map(colliding_masses, (0, 1)), strict=True), strict=True))


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


def test_stores_become_transitions(seeds):
    data = Transitions.of_stores(*seeds.values(), change=False)
    assert data.inputs.shape == (2 * EPISODES * STEPS, 5) and set(data.episode) == set(range(2 * EPISODES))
    step = data.jacobian[7] @ data.inputs[7]
    np.testing.assert_allclose(step, data.outputs[7], atol=1e-12, err_msg="without a bias the masses are linear")
    change = Transitions.of_stores(*seeds.values(), change=True)
    np.testing.assert_allclose(change.outputs, data.outputs - data.inputs[:, :4])
    np.testing.assert_allclose(change.jacobian, data.jacobian - np.eye(4, 5))


def test_what_does_not_fit_is_named(seeds):
    other = [data.assign_attrs(task="Other") for data in seeds["jacobians"]]
    with pytest.raises(UserError, match=r"stores of different runs.*Other"):
        Transitions.of_stores(seeds["rollouts"], other, seeds["sparsity"], change=False)
    mixed = {kind: [first, second.assign_attrs(task="Other")] for kind, (first, second) in seeds.items()}
    with pytest.raises(UserError, match=r"different runs.*Masses.*Other"):
        Transitions.of_stores(*mixed.values(), change=False)
    with pytest.raises(UserError, match=r"seeds \[0, 1, 1\]"):
        Transitions.of_stores(seeds["rollouts"], *([data[1], data[0]] for data in list(seeds.values())[1:]), change=False)
    turned = [data.rename(qpos_dim="q").assign(qpos_dim=("qpos_dim", [0, 1, 2])) for data in seeds["rollouts"]]
    with pytest.raises(UserError, match="Masses has free or ball joints"):
        Transitions.of_stores(turned, seeds["jacobians"], seeds["sparsity"], change=False)


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
    np.testing.assert_allclose(
        first, np.sqrt((((off * mlp.output_scale.values) / mlp.input_scale.values[:4]) ** 2).mean()), rtol=1e-3
    )
    assert np.isnan(own.rollout_error.sel(horizon=100)) and own.rollout_error.sel(horizon=5) > first


def _training(chosen):
    return split_episodes(2 * EPISODES, chosen.validation, chosen.test, 0)["training"]


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
    assert mean["truth"].one_step_error.isnull(), "controls predict no state here"
    assert mean["truth"].zero_f1.sel(basis="scaled") == 1, "at the threshold of the validation episodes"


def test_conditions_are_those_of_the_constraints(seeds):
    episode = seeds["sparsity"][0].isel(episode=1)
    found = recovery.conditions(episode)
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
    assert sorted(recovery._durations(zero, known)) == [1, 2, 2, 5]
    known[2] = False
    assert sorted(recovery._durations(zero, known)) == [1, 1, 2, 2, 2], "no run goes on across a step that is not known"
    assert len(recovery._durations(zero, ~np.ones(5, bool))) == 0


def test_scores_by_condition_are_those_of_the_steps_alone():
    rng = np.random.default_rng(0)
    magnitude = rng.integers(0, 6, (40, 3, 4)) / 5.0  # with ties
    zero = rng.random((40, 3, 4)) < 0.4
    chosen = {"all": np.ones(40, bool), "some": rng.random(40) < 0.5, "none": np.zeros(40, bool)}
    episode = recovery.Episode(np.zeros((40, 3, 4)), zero, chosen)
    for here, found in zip(chosen.values(), recovery._by_condition(magnitude, episode, 0.3), strict=True):
        if not here.any():
            assert all(np.isnan(score) for score in found.values())
            continue
        part = magnitude[here], zero[here]
        for name in ("auroc", "auroc_by_step", "auroc_by_entry", "average_precision", "leakage"):
            assert found[name] == pytest.approx(getattr(scores, name)(*part)), name
        oracle = scores.auroc(scores.static_oracle(zero, here)[here], zero[here])
        assert found["skill"] == pytest.approx(scores.skill(scores.auroc(*part), oracle))


def test_a_model_that_is_not_finite_scores_nothing_and_stops_nothing(seeds):
    (episode,) = recovery.truth_of_episodes(Transitions.of_stores(*seeds.values(), change=False), seeds["sparsity"], [0])
    broken = np.full(episode.zero.shape, np.nan)
    found = recovery.score_episode({"scaled": broken}, {"scaled": 0.0}, episode, [0])
    assert found.auroc.isnull().all()


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
    given = settings(models={"mlp": {"width": 8, "jacobian_loss": "mse"}})
    chosen = given.model_copy(update={"training": WorldModelTraining(epochs=3, batch=32)})
    split = split_episodes(2 * EPISODES, chosen.validation, chosen.test, 0)
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
    (whole,) = recovery.truth_of_episodes(data, seeds["sparsity"], [1])
    (holed,) = recovery.truth_of_episodes(data, broken["sparsity"], [1])
    assert np.flatnonzero(~holed.known).tolist() == [20, 21, 22]
    for name, here in holed.conditions.items():
        assert not here[20:23].any() and not (here & ~whole.conditions[name]).any(), name


def test_nothing_to_learn_from_is_named(seeds):
    jacobians = [xr.full_like(data, np.nan).assign(length=data.length) for data in seeds["jacobians"]]
    data = Transitions.of_stores(seeds["rollouts"], jacobians, seeds["sparsity"], change=False)
    with pytest.raises(UserError, match=r"no step of the training episodes \[0, 1\] has a Jacobian that is finite"):
        data.part({"training": [0, 1]}, "training")


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
