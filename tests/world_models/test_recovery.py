"""Recovery of zeros on systems written by hand: what is scored, when, and against which controls."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import WorldModelsSettings, WorldModelTraining
from dynamic_sparsity.world_models import recovery, report, scores
from dynamic_sparsity.world_models.controls import Controls, rollout_errors
from dynamic_sparsity.world_models.data import ROLLOUT_EVERY, Transitions, split_episodes
from dynamic_sparsity.world_models.familiarity import novel_shares
from dynamic_sparsity.world_models.training import build
from tests.helpers.systems import EPISODES, MASSES, STEPS, colliding_masses


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
    with pytest.raises(UserError, match=r"seed \[0, 1, 1\]"):
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


def test_controls_that_predict_do_it_as_a_model_would(seeds):
    chosen = settings()
    data = Transitions.of_stores(*seeds.values(), change=False)
    split = split_episodes(data.policies, chosen.validation, chosen.test, 0)
    training, episode = data.of_episodes(split["training"]), data.of_episodes(split["test"][:1])
    held = Controls(data, split, [list("abcde"), list("wxyz")])
    design = np.c_[training.inputs, np.ones(len(training.inputs))]
    fit = np.linalg.lstsq(design, training.outputs, rcond=None)[0]
    by_hand = lambda inputs: np.c_[inputs, np.ones(len(inputs))] @ fit  # noqa: E731
    np.testing.assert_allclose(held.predictors["linear"](episode.inputs), by_hand(episode.inputs), atol=1e-9)
    np.testing.assert_array_equal(held.predictors["persistence"](episode.inputs), episode.inputs[:, :4])
    scale = training.inputs.std(axis=0)[:4]
    found = rollout_errors(by_hand, episode, [1, 3, 100], scale)
    states = []
    for start in range(0, STEPS - 2, ROLLOUT_EVERY):
        state = episode.inputs[start, :4]
        for step in range(3):
            state = by_hand(np.r_[state, episode.inputs[start + step, 4:]][None])[0]
        states.append((state - episode.outputs[start + 2]) / scale)
    np.testing.assert_allclose(found[1], np.sqrt(np.mean(np.square(states))))
    one_step = ((by_hand(episode.inputs) - episode.outputs) / scale)[::ROLLOUT_EVERY]
    np.testing.assert_allclose(found[0], np.sqrt((one_step**2).mean()))
    assert np.isnan(found[2])
    assert rollout_errors(lambda inputs: inputs[:, :4] * 1e200, episode, [3], scale) == [np.inf]


def test_episodes_unlike_those_of_training_are_told_apart(seeds):
    data = Transitions.of_stores(*seeds.values(), change=False)
    training, like = data.of_episodes([0, 1, 2]), data.of_episodes([3])
    far = replace(like, inputs=like.inputs + 10)
    half = replace(like, inputs=like.inputs + 10 * (np.arange(STEPS) < STEPS // 2)[:, None])
    among, away, partly = novel_shares(training, [like, far, half])
    assert among < 0.1 and away == 1 and partly == pytest.approx((among + 1) / 2, abs=0.05)
    controls_only = replace(like, inputs=np.c_[like.inputs[:, :4], like.inputs[:, 4:] + 10])
    assert novel_shares(training, [controls_only]) == among, "states alone are compared"
    assert np.isnan(novel_shares(data.of_episodes([0]), [like])).all(), "one episode has no other to be compared with"


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
