"""Trains an expert with brax's PPO on a Playground task; a killed training resumes from its checkpoint."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax.training.acme import running_statistics
from brax.training.agents.ppo import networks, train
from brax.training.types import UInt64
from mujoco_playground import wrapper

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts.expert import Expert, read_expert, write_expert
from dynamic_sparsity.simulation.recipes import total_steps
from dynamic_sparsity.simulation.tasks import Task

_NETWORK = ("policy_layers", "value_layers", "observation_clip")
_WRAPPING = ("staggered_starts", "shortest_episode")
_STATISTICS = ("mean", "std", "summed_variance")


class Trainer:
    """Trains one expert; `directory` holds the last checkpoint and the best one so far.

    A checkpoint is an expert file that also holds the value network and the full observation statistics. It does not
    hold the optimiser's moments: a resumed training starts them, and the adaptive learning rate, anew.
    """

    def __init__(self, task: Task, seed: int, ppo: dict[str, Any], directory: Path) -> None:
        self._task, self._seed, self._ppo = task, seed, ppo
        self.last, self.best = directory / "last.safetensors", directory / "best.safetensors"
        self._done, self._history = 0, list[tuple[int, float]]()
        self._started, self._minutes = time.monotonic(), 0.0
        self._reported = (0, 0.0)
        self._latest: Expert | None = None

    def run(self) -> Expert:
        """Trains to the end, resuming from a checkpoint with the same settings; returns the best expert.

        The best expert has the highest mean return of all evaluations during training. Its provenance holds these
        evaluations (`history`), the step at which it was taken (`steps`), the steps of the whole training
        (`trained_steps`) and the minutes that the training took. Raises UserError if weights or returns become
        non-finite; the checkpoints then stay as they were.
        """
        restored = self._resume()
        options = dict(self._ppo)
        network, wrapping = ({name: options.pop(name) for name in names} for names in (_NETWORK, _WRAPPING))
        epochs = max(options["num_evals"] - 1, 1)
        remaining = options["num_timesteps"] - self._done
        if remaining > 0:
            remaining_epochs = max(1, round(epochs * remaining / options["num_timesteps"]))
            options |= {"num_timesteps": remaining, "num_evals": remaining_epochs + 1, "restore_params": restored}
            train.train(
                environment=self._task.environment,
                wrap_env_fn=_wrapping(**wrapping),
                network_factory=functools.partial(_networks, **network),
                seed=_seed(self._seed, self._done),
                policy_params_fn=self._keep,
                progress_fn=self._evaluated,
                **options,
            )
        best, last = self._checkpoint(self.best), self._checkpoint(self.last)
        of_training = {name: last.provenance[name] for name in ("history", "minutes")}
        of_training |= {"settings": self._ppo, "trained_steps": last.provenance["steps"]}
        return Expert(best.tensors, {**best.provenance, **of_training})

    def _checkpoint(self, path: Path) -> Expert:
        return read_expert(path, self._task.name, f"delete {path.parent} to start anew")

    def _resume(self) -> Any:
        """The parameters to resume from, or None to start anew; deletes checkpoints of other settings."""
        if not (self.last.exists() or self.best.exists()):
            return None
        best = self._checkpoint(self.best)  # an unreadable file must not show only at the end
        checkpoint = self._checkpoint(self.last) if self.last.exists() else None
        if checkpoint is None or best.provenance["steps"] > checkpoint.provenance["steps"]:
            write_expert(self.last, best)  # killed between writing the one and the other
            checkpoint = best
        provenance = checkpoint.provenance
        same_training = _identity(provenance["settings"], provenance["seed"]) == _identity(self._ppo, self._seed)
        total = self._ppo["num_timesteps"]
        too_far = provenance["settings"]["num_timesteps"] > total and provenance["steps"] > total
        if not same_training or too_far:
            print(
                f"{self.last} was trained with other settings, or for more steps than these ask for: started anew",
                flush=True,
            )
            self.last.unlink()
            self.best.unlink()
            return None
        self._done, self._history, self._minutes = provenance["steps"], provenance["history"], provenance["minutes"]
        print(f"{self.last}: resumed at {self._done:,} steps", flush=True)
        return _parameters(checkpoint)

    def _keep(self, step: int, _: Callable[..., Any], parameters: Any) -> None:
        """Keeps new parameters until their evaluation; brax calls it before that."""
        if step == 0:
            return
        steps = self._done + step
        tensors = _tensors(parameters)
        for name, array in tensors.items():
            if not np.isfinite(array).all():
                raise self._diverged(name, steps)
        self._latest = Expert(tensors, self._provenance(steps))

    def _evaluated(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Prints an evaluation's result and writes the checkpoints; brax calls it after each evaluation."""
        mean, spread = (float(metrics[f"eval/episode_reward{name}"]) for name in ("", "_std"))
        total, steps = total_steps(self._ppo), self._done + step
        minutes = self._minutes + (time.monotonic() - self._started) / 60
        reported_steps, reported_minutes = self._reported
        # This rate includes evaluations. brax's own rate divides the steps of all resets by the time of the last one
        # only.
        rate = (steps - reported_steps) / (60 * (minutes - reported_minutes)) if step else 0
        self._reported = (steps, minutes)
        print(
            f"{self._task.name} seed {self._seed}: {steps:>11,} of {total:,} steps, return {mean:.1f} ± {spread:.1f},"
            f" {rate:,.0f} steps/s, scale {metrics.get('training/policy_dist_mean_std', 0):.2f},"
            f" {minutes:.1f} min",
            flush=True,
        )
        if not np.isfinite(mean):
            raise self._diverged("the return", steps)
        if self._latest is None:
            return
        best = max((mean_return for _, mean_return in self._history), default=-np.inf)
        self._history.append((steps, round(mean, 2)))
        of_training = {"history": list(self._history), "minutes": round(minutes, 1)}
        expert = Expert(self._latest.tensors, {**self._latest.provenance, **of_training})
        if mean > best:
            write_expert(self.best, expert)
        write_expert(self.last, expert)

    def _diverged(self, quantity: str, steps: int) -> UserError:
        checkpoint = f"The last good checkpoint stays at {self.last}" if self.last.exists() else "There is no checkpoint yet"
        return UserError(
            f"training {self._task.name} diverged: {quantity} is not finite after {steps:,} steps. {checkpoint}. Lower"
            " learning_rate or reward_scaling, or set max_grad_norm, under policies.expert.training.overrides"
        )

    def _provenance(self, steps: int) -> dict[str, Any]:
        return {
            "task": self._task.name,
            "seed": self._seed,
            "network": "swish-mlp",
            "action_size": self._task.environment.action_size,
            "observation_clip": self._ppo["observation_clip"],
            "settings": self._ppo,
            "steps": steps,
            "trainer": "brax PPO",
            "hardware": hardware(),
        }


def without_training_state(expert: Expert) -> Expert:
    """The expert without the tensors that only a resumed training needs."""
    acting_tensors = {
        name: array
        for name, array in expert.tensors.items()
        if name.startswith("policy/") or name in ("observation_mean", "observation_std")
    }
    return Expert(acting_tensors, expert.provenance)


def hardware() -> str:
    """One line: the devices that jax uses, the cores that this process may use and the machine's architecture."""
    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{jax.device_count()} × {device.device_kind}, {cores} cores, {platform.machine()}"


def _identity(ppo: dict[str, Any], seed: int) -> tuple[dict[str, Any], int]:
    """What must be equal for a training to be resumed: its seed and all settings but its length."""
    return {name: value for name, value in ppo.items() if name not in ("num_timesteps", "num_evals")}, seed


class _Ages(wrapper.Wrapper):
    """Starts environments at a random age, in steps of an episode, so that every batch holds all parts of an episode.

    The first ages are uniform. If `shortest` is 0, later episodes start at age 0. Otherwise their lengths are
    log-uniform from `shortest` to the full length, so that training sees the first steps after a reset more often.
    """

    def __init__(self, environment: Any, full: int, shortest: int) -> None:
        super().__init__(environment)
        self._full, self._shortest = full, min(shortest, full)

    def reset(self, rng: jax.Array) -> Any:
        state = self.env.reset(rng)
        keys, draws = self._draw(jax.vmap(jax.random.fold_in, (0, None))(rng, 1))  # env.reset draws with other keys
        state.info.update(steps=jnp.floor(self._full * draws), age_key=keys)
        return state

    def step(self, state: Any, action: jax.Array) -> Any:
        was_done = state.done
        keys, draws = self._draw(state.info["age_key"])
        state = self.env.step(state, action)
        if self._shortest:
            age = jnp.floor(self._full - self._shortest * (self._full / self._shortest) ** draws)
            state.info["steps"] += jnp.where(was_done, age, 0)
        state.info["age_key"] = keys
        return state

    @staticmethod
    def _draw(keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        keys = jax.vmap(jax.random.split)(keys)
        return keys[:, 0], jax.vmap(jax.random.uniform)(keys[:, 1])


def _wrapping(staggered_starts: bool, shortest_episode: int) -> Callable[..., Any]:
    """Playground's wrapping for brax, with random ages in training but not in evaluation."""
    wrapped = []

    def wrap(environment: Any, episode_length: int, action_repeat: int, randomization_fn: None = None) -> Any:
        resetting = wrapper.wrap_for_brax_training(environment, episode_length, action_repeat, randomization_fn)
        wrapped.append(resetting)  # brax wraps the training environment first, then the evaluation environment
        return _Ages(resetting, episode_length, shortest_episode) if staggered_starts and len(wrapped) == 1 else resetting

    return wrap


def _networks(
    observation_size: Any,
    action_size: int,
    preprocess_observations_fn: Callable[..., Any],
    *,
    policy_layers: list[int],
    value_layers: list[int],
    observation_clip: float,
) -> networks.PPONetworks:
    """brax's PPO networks, with observations clipped after normalisation unless `observation_clip` is 0."""
    if observation_clip:
        preprocess_observations_fn = functools.partial(preprocess_observations_fn, max_abs_value=observation_clip)
    return networks.make_ppo_networks(
        observation_size,
        action_size,
        preprocess_observations_fn=preprocess_observations_fn,
        policy_hidden_layer_sizes=policy_layers,
        value_hidden_layer_sizes=value_layers,
    )


def _seed(seed: int, steps_done: int) -> int:
    """brax's seed, from the training seed and the steps done, so that each resumption has a seed of its own."""
    return int(np.random.SeedSequence((seed, steps_done)).generate_state(1)[0] >> 1)


def _tensors(parameters: Any) -> dict[str, np.ndarray]:
    """brax's (statistics, policy, value) as named arrays."""
    statistics, *weights = parameters
    named = {f"observation_{name}": np.asarray(getattr(statistics, name)) for name in _STATISTICS}
    named["observation_count"] = np.array([statistics.count.hi, statistics.count.lo], np.uint32)
    for network, tree in zip(("policy", "value"), weights, strict=True):
        for layer, arrays in tree["params"].items():
            for name, array in arrays.items():
                named[f"{network}/{layer.removeprefix('hidden_')}/{name}"] = np.asarray(array)
    return named


def _parameters(checkpoint: Expert) -> Any:
    """The inverse of `_tensors`."""
    tensors = {name: jnp.asarray(array) for name, array in checkpoint.tensors.items()}
    mean, deviation, variance = (tensors[f"observation_{name}"] for name in _STATISTICS)
    count = UInt64(*tensors["observation_count"])
    statistics = running_statistics.RunningStatisticsState(mean, deviation, count, variance)
    trees: dict[str, dict[str, Any]] = {"policy": {}, "value": {}}
    for name, array in tensors.items():
        network, *place = name.split("/")
        if network in trees:
            trees[network].setdefault(f"hidden_{place[0]}", {})[place[1]] = array
    return statistics, {"params": trees["policy"]}, {"params": trees["value"]}
