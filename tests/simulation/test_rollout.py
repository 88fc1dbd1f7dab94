"""Rollouts: episodes depend on their seed only, are cut where they end, labelled and padded."""

import jax
import numpy as np
import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.runtime.jax_setup import in_precision
from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.simulation import rollout
from dynamic_sparsity.simulation.chunks import CHUNK_STEPS, chunks
from dynamic_sparsity.simulation.policies import make_policy
from dynamic_sparsity.simulation.replay import Replayer
from dynamic_sparsity.simulation.rollout import Episode, Roller, rollout_dataset
from dynamic_sparsity.simulation.tasks import load_task
from dynamic_sparsity.simulation.transition import NextState, Recorded, recorded_of
from tests.helpers.experts import make_expert
from tests.helpers.reference import warmed_up

TASK = "CartpoleBalance"


@pytest.fixture(scope="module")
def roller():
    with in_precision(double=False):
        yield Roller(load_task(TASK), make_policy("noise", PolicySettings.model_validate({"noise": {}})))


def test_an_episode_is_a_function_of_seed_and_number(roller):
    first, again, second = roller.episode(0, 0, 60), roller.episode(0, 0, 60), roller.episode(0, 1, 60)
    np.testing.assert_array_equal(first.start.qpos, again.start.qpos)
    assert np.abs(first.start.qpos - second.start.qpos).max() > 0
    assert first.start.qpos.dtype == np.float32 and len(first.start.qpos) == 60


@pytest.mark.parametrize(("policy", "beta"), [("noise", 0.5), ("noise", 2.0), ("zero", None)])
def test_a_longer_episode_extends_a_shorter_one(roller, policy, beta):
    """It does so bit for bit, whether or not the shorter episode fills its last chunk."""
    settings = PolicySettings.model_validate({"noise": {"beta": beta or 0.0}, "zero": {}})
    roller = Roller(roller._task, make_policy(policy, settings))
    long = roller.episode(0, 2, 70)
    for steps in (30, CHUNK_STEPS, 69):
        short = roller.episode(0, 2, steps)
        assert len(short.start.qpos) == len(short.reward) == steps
        expected = jax.tree.map(lambda array: array[:steps] if np.ndim(array) else array, long)
        jax.tree.map(np.testing.assert_array_equal, short, expected._replace(mocap_pos=long.mocap_pos))


def test_consecutive_steps_join(roller):
    episode = roller.episode(3, 0, CHUNK_STEPS + 7)
    np.testing.assert_array_equal(episode.next_state.qpos[:-1], episode.start.qpos[1:])
    np.testing.assert_array_equal(episode.next_state.qvel[:-1], episode.start.qvel[1:])
    assert np.abs(episode.start.qacc_warmstart[1:]).max() > 0, "the hidden state is recorded"
    assert np.abs(episode.start.ctrl).max() < 1


def test_every_step_replays_and_an_altered_one_is_named(roller):
    episode = roller.episode(0, 0, 60)
    replayer = Replayer(TASK)
    assert replayer.prove(episode.start, episode.next_state, 0) < 1e-5
    for field, column, name in (("qvel", 1, "next_qvel:hinge_1"), ("qpos", 0, "next_qpos:slider")):
        array = getattr(episode.next_state, field).copy()
        array[17, column] += 1e-3
        with pytest.raises(UserError, match=rf"task {TASK}, episode 4, step 17, {name} \(replayed .*, recorded .*\)"):
            replayer.prove(episode.start, episode.next_state._replace(**{field: array}), 4)
    array = episode.next_state.qpos.copy()
    array[5, 1] = np.nan
    with pytest.raises(UserError, match="step 5, next_qpos:hinge_1"):
        replayer.prove(episode.start, episode.next_state._replace(qpos=array), 0)


def test_the_replay_of_a_step_does_not_depend_on_its_place():
    """A program that takes WalkerRun's steps side by side would round contacts by a step's place in the batch."""
    start = warmed_up(load_task("WalkerRun"), 80, keep=50)
    start = Recorded(*(array.astype(np.float32) for array in start))
    replayer, order = Replayer("WalkerRun"), np.random.default_rng(0).permutation(50)
    replayed, shuffled = replayer(start), replayer(Recorded(*(array[order] for array in start)))
    jax.tree.map(lambda array, moved: np.testing.assert_array_equal(array[order], moved), replayed, shuffled)


def test_infinities_are_no_excuse():
    from dynamic_sparsity.simulation.replay import _apart, step_difference

    finite, infinite = np.array([1.0]), np.array([np.inf])
    assert _apart(finite, infinite, np.array([np.inf])).all() and _apart(infinite, finite, np.array([np.inf])).all()
    assert not _apart(infinite, infinite, np.array([0.0])).any()
    states = [NextState(np.array([[1.0], [2.0]]), np.full((2, 1), value), np.zeros((2, 0))) for value in (0.0, 0.5)]
    np.testing.assert_allclose(step_difference(states[0], states[1]), 0.5 / 1.5)


def test_hidden_state_would_be_found(roller):
    """A changed control has the effect of hidden state: the step does not replay."""
    episode = roller.episode(0, 0, 60)
    with pytest.raises(UserError, match="step 0"):
        Replayer(TASK).prove(episode.start._replace(ctrl=episode.start.ctrl + 0.05), episode.next_state, 0)


def an_episode(steps, ends_at=None):
    rng = np.random.default_rng(0)
    start = Recorded(*(rng.normal(size=(steps, size)).astype(np.float32) for size in (2, 2, 0, 2, 1)))
    after = NextState(*(rng.normal(size=(steps, size)).astype(np.float32) for size in (2, 2, 0)))
    done = np.zeros(steps, bool)
    if ends_at is not None:
        done[ends_at:] = True
    return Episode(start, after, np.ones(steps, np.float32), done, mocap_pos=np.zeros((0, 3)), seed=9)


def test_an_episode_that_ends_early_keeps_its_true_length():
    assert an_episode(6).length == 6
    ended = an_episode(6, ends_at=3).trimmed()
    assert ended.length == 4 and len(ended.start.qpos) == 4 and ended.done.tolist() == [False, False, False, True]
    dataset = rollout_dataset(ended, load_task(TASK).coordinates, 6)
    assert dataset.sizes["time"] == 6 and dataset.length == 4 and dataset.episode_seed == 9
    assert dataset.qpos[4:].isnull().all() and not dataset.qpos[:4].isnull().any() and not dataset.done[4:].any()
    start, after = recorded_of(dataset.isel(time=slice(4)))
    np.testing.assert_array_equal(start.qvel, ended.start.qvel)
    np.testing.assert_array_equal(after.qpos, ended.next_state.qpos)


@pytest.mark.parametrize("steps", [1, CHUNK_STEPS - 1, CHUNK_STEPS, CHUNK_STEPS + 1, 3 * CHUNK_STEPS])
def test_chunks_cover_everything_in_order(steps):
    array = np.arange(steps * 2).reshape(steps, 2)
    pieces = chunks(array)
    assert all(len(piece) == CHUNK_STEPS for piece in pieces)
    joined = np.concatenate(pieces)
    np.testing.assert_array_equal(joined[:steps], array)
    assert (joined[steps:] == array[-1]).all()


@pytest.mark.parametrize(("policy", "module"), [("noise", "base"), ("zero", "base"), ("expert", "expert")])
def test_a_program_depends_on_the_module_in_which_the_policy_acts(roller, policy, module, monkeypatch):
    """Otherwise an edited policy would be rolled out with the program of the one before."""
    asked = {}

    def load_program(name, build, *, modules, **identity):
        asked[name] = modules
        return build

    monkeypatch.setattr(rollout, "load_program", load_program)
    expert = make_expert() if policy == "expert" else None
    acting = make_policy(policy, PolicySettings.model_validate({policy: {}}), expert)
    assert callable(Roller(roller._task, acting)._advance)
    assert asked["advance"] == [rollout.__name__, f"dynamic_sparsity.simulation.policies.{module}"]
