"""Training resumes where it stopped, and a training that diverges keeps its last good checkpoint."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mujoco_playground import State

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts.expert import read_expert
from dynamic_sparsity.files import locks
from dynamic_sparsity.runtime.jax_setup import in_precision
from dynamic_sparsity.settings.training import PpoOverrides, TrainingSettings
from dynamic_sparsity.simulation import recipes, training
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE

TASK = "CartpoleBalance"
TINY = {
    "num_timesteps": 480,
    "num_evals": 4,
    "num_eval_envs": 3,
    "num_envs": 4,
    "batch_size": 4,
    "num_minibatches": 2,
    "num_updates_per_batch": 2,
    "unroll_length": 10,
    "episode_length": 12,
}


def ppo(**changes):
    settings = TrainingSettings.model_validate({"overrides": {**TINY, **changes}})
    return {**recipes.ppo_settings(TASK, settings), "policy_layers": [7, 3], "value_layers": [5]}


@pytest.mark.parametrize("task", DM_CONTROL_SUITE)
def test_recipes_stand_on_playgrounds_settings(task):
    from mujoco_playground.config import dm_control_suite_params

    playground = dm_control_suite_params.brax_ppo_config(task).to_dict()
    full = recipes.ppo_settings(task, TrainingSettings(recipe="playground"))
    assert playground.items() <= full.items() and full["observation_clip"] == 0 and not full["staggered_starts"]
    small = recipes.ppo_settings(task, TrainingSettings(overrides=PpoOverrides(num_envs=64)))
    assert small.keys() >= full.keys() and small["num_envs"] == 64
    small = recipes.ppo_settings(task, TrainingSettings())
    assert small["num_timesteps"] <= recipes.total_steps(small) < 1.12 * small["num_timesteps"] < full["num_timesteps"]
    with pytest.raises(UserError, match="is not a multiple of num_envs = 77"):
        recipes.ppo_settings(task, TrainingSettings(overrides=PpoOverrides(num_envs=77)))


class KilledError(Exception):
    pass


class PointMass:
    """A mass on a line, pushed towards 0: an environment that compiles in seconds."""

    action_size, observation_size = 1, 2

    def reset(self, rng):
        data = jax.random.uniform(rng, (2,), minval=-1.0)
        return State(data, data, jnp.zeros(()), jnp.zeros(()), {}, {})

    def step(self, state, action):
        position, velocity = state.data
        data = jnp.array([position + 0.1 * velocity, velocity + 0.1 * action[0]])
        return state.replace(data=data, obs=data, reward=-(position**2))


def task():
    return Task(TASK, PointMass())


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A training that was killed after its second checkpoint, and its resumption."""
    directory = tmp_path_factory.mktemp("checkpoints")
    with in_precision(double=False):  # as the stage trains
        first = training.Trainer(task(), 3, ppo(), directory)
        evaluated = first._evaluated

        def killed_after_two(step, metrics):
            evaluated(step, metrics)
            if step >= 320:
                raise KilledError

        first._evaluated = killed_after_two
        with pytest.raises(KilledError):
            first.run()
        stopped = read_expert(first.last, TASK)
        second = training.Trainer(task(), 3, ppo(), directory)
        best = second.run()
        yield stopped, read_expert(second.last, TASK), best, second


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(interrupted):
    stopped, last, best, _ = interrupted
    assert recipes.total_steps(ppo()) == 480
    assert stopped.provenance["steps"] == 320 and last.provenance["steps"] == 480
    assert [steps for steps, _ in last.provenance["history"]] == [160, 320, 480]
    assert last.provenance["history"][:2] == stopped.provenance["history"]
    counts = [int(expert.tensors["observation_count"][1]) for expert in (stopped, last)]
    assert counts == [320, 480], "the observation statistics are resumed as well"
    kernels = [expert.tensors["policy/0/kernel"] for expert in (stopped, last)]
    assert 0 < np.abs(kernels[1] - kernels[0]).max() < 0.1, "it resumes from the checkpoint's weights"
    provenance = best.provenance
    assert (
        provenance["history"] == last.provenance["history"]
        and provenance["trained_steps"] == 480
        and provenance["settings"] == ppo()
    )
    assert dict(map(tuple, provenance["history"]))[provenance["steps"]] == max(value for _, value in provenance["history"])
    assert stopped.provenance["minutes"] <= last.provenance["minutes"] == provenance["minutes"]


@pytest.mark.slow
def test_a_kill_between_the_two_writes_loses_nothing(interrupted):
    """The best checkpoint is written first and is then the newer one."""
    stopped, last, _, trainer = interrupted
    training.write_expert(trainer.best, last)
    for older in (stopped, None):
        trainer.last.unlink() if older is None else training.write_expert(trainer.last, older)
        again = training.Trainer(trainer._task, 3, ppo(), trainer.last.parent)
        assert again._resume() is not None and again._done == 480
        assert read_expert(trainer.last).provenance == last.provenance


def test_two_trainings_do_not_share_checkpoints(tmp_path):
    lock = locks.lock(tmp_path, "the first")
    options = ["--task", TASK, "--seed", "0", "--checkpoints", tmp_path, "--output", tmp_path / "x.safetensors"]
    command = [sys.executable, "-m", "dynamic_sparsity.stages.policies", "--settings", '{"training":{}}', *options]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1 and process.stderr.startswith("error: another process is writing")
    assert "x.safetensors: wait until it ends" in process.stderr and [path.name for path in tmp_path.iterdir()] == [
        ".refused"
    ]
    with pytest.raises(UserError, match="the first is not kept"):
        locks.check_not_refused(tmp_path, "the first")
    os.close(lock)
    os.close(locks.lock(tmp_path, "the next"))
    locks.check_not_refused(tmp_path, "the next")


@pytest.mark.slow
def test_parameters_survive_a_checkpoint(interrupted):
    _, last, _, _ = interrupted
    again = training._tensors(training._parameters(last))
    assert again.keys() == last.tensors.keys()
    for name, array in again.items():
        np.testing.assert_array_equal(array, last.tensors[name])
    assert not any(name.startswith("value") for name in training.without_training_state(last).tensors)


@pytest.mark.slow
def test_what_is_not_finite_stops_the_run_and_leaves_the_last_good_checkpoint(interrupted):
    _, last, _, trainer = interrupted
    before = trainer.last.read_bytes()
    statistics, policy, value = training._parameters(last)
    policy["params"]["hidden_1"]["bias"] = policy["params"]["hidden_1"]["bias"].at[0].set(np.nan)
    with pytest.raises(UserError, match=r"diverged: policy/1/bias is not finite.*stays at .*last.safetensors"):
        trainer._keep(160, lambda: None, (statistics, policy, value))
    with pytest.raises(UserError, match="the return is not finite"):
        trainer._evaluated(160, {"eval/episode_reward": np.nan, "eval/episode_reward_std": 0.0})
    assert trainer.last.read_bytes() == before


@pytest.mark.slow
def test_other_settings_start_anew_and_a_damaged_checkpoint_is_named(interrupted, capsys):
    trainer = interrupted[3]
    longer = training.Trainer(trainer._task, 3, ppo(num_timesteps=960), trainer.last.parent)
    assert longer._resume() is not None and longer._done == 480, "a run can be extended"
    last = read_expert(trainer.last, TASK)
    planned = {**last.provenance, "settings": ppo(num_timesteps=960)}
    training.write_expert(trainer.last, training.Expert(last.tensors, planned))
    shorter = training.Trainer(trainer._task, 3, ppo(num_timesteps=600), trainer.last.parent)
    assert shorter._resume() is not None and shorter._done == 480, "or stopped earlier than was planned"
    training.write_expert(trainer.last, last)
    checkpoints = {file: file.read_bytes() for file in (trainer.last, trainer.best)}
    for file, content in checkpoints.items():
        file.write_bytes(content[:-9])
        with pytest.raises(UserError, match="to start anew"):
            training.Trainer(trainer._task, 3, ppo(), trainer.last.parent)._resume()
        file.write_bytes(content)
    for seed, settings in ((4, ppo()), (3, ppo(num_timesteps=160))):
        changed = training.Trainer(trainer._task, seed, settings, trainer.last.parent)
        assert changed._resume() is None and not trainer.last.exists() and "started anew" in capsys.readouterr().out
        for file, content in checkpoints.items():
            file.write_bytes(content)
