"""Training an expert: brax's PPO on a Playground task, with checkpoints that a killed run resumes from."""

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

    A checkpoint is an expert file that also holds the value network and the full observation statistics. The
    optimiser's moments are not kept: a resumed run starts them, and the adaptive learning rate, anew.
    """

    def __init__(self, task: Task, seed: int, ppo: dict[str, Any], directory: Path) -> None:
        self._task, self._seed, self._ppo = task, seed, ppo
        self.last, self.best = directory / "last.safetensors", directory / "best.safetensors"
        self._done, self._history = 0, list[tuple[int, float]]()
        self._started, self._minutes = time.monotonic(), 0.0
        self._reported = (0, 0.0)
        self._latest: Expert | None = None

    def run(self) -> Expert:
        """Train to the end, resuming from a checkpoint of the same settings; returns the best expert.

        Best is the highest mean return among the evaluations made in training; its provenance has them all, at which
        step it was taken (`steps`), of how many (`trained_steps`), and the minutes that training took. Raises UserError when
        weights become non-finite; the checkpoints stay as they were before that.
        """
        restored = self._resume()
        options = dict(self._ppo)
        network, wrapping = ({name: options.pop(name) for name in names} for names in (_NETWORK, _WRAPPING))
        epochs = max(options["num_evals"] - 1, 1)
        left = options["num_timesteps"] - self._done
        if left > 0:
            left_epochs = max(1, round(epochs * left / options["num_timesteps"]))
            options |= {"num_timesteps": left, "num_evals": left_epochs + 1, "restore_params": restored}
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
        if not (self.last.exists() or self.best.exists()):
            return None
        best = self._checkpoint(self.best)  # a run must not find out at its end
        checkpoint = self._checkpoint(self.last) if self.last.exists() else None
        if checkpoint is None or best.provenance["steps"] > checkpoint.provenance["steps"]:
            write_expert(self.last, best)  # killed between writing the one and the other
            checkpoint = best
        about = checkpoint.provenance
        same = _identity(about["settings"], about["seed"]) == _identity(self._ppo, self._seed)
        total = self._ppo["num_timesteps"]
        too_far = about["settings"]["num_timesteps"] > total and about["steps"] > total
        if not same or too_far:
            print(f"{self.last} is of other settings, or has gone further than these ask for: started anew", flush=True)
            self.last.unlink()
            self.best.unlink()
            return None
        self._done, self._history, self._minutes = about["steps"], about["history"], about["minutes"]
        print(f"{self.last}: resumed at {self._done:,} steps", flush=True)
        return _parameters(checkpoint)

    def _keep(self, step: int, _: Callable, parameters: Any) -> None:
        """Called by brax with new parameters, before their evaluation."""
        if step == 0:
            return
        steps = self._done + step
        tensors = _tensors(parameters)
        for name, array in tensors.items():
            if not np.isfinite(array).all():
                raise self._diverged(name, steps)
        self._latest = Expert(tensors, self._provenance(steps))

    def _evaluated(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Called by brax after each evaluation: print, and write the checkpoints."""
        mean, spread = (float(metrics[f"eval/episode_reward{name}"]) for name in ("", "_std"))
        total, steps = total_steps(self._ppo), self._done + step
        minutes = self._minutes + (time.monotonic() - self._started) / 60
        before, earlier = self._reported
        # With evaluations. brax's own divides the steps of all resets by the time of the last one's.
        rate = (steps - before) / (60 * (minutes - earlier)) if step else 0
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
        best = max((past for _, past in self._history), default=-np.inf)
        self._history.append((steps, round(mean, 2)))
        of_training = {"history": list(self._history), "minutes": round(minutes, 1)}
        expert = Expert(self._latest.tensors, {**self._latest.provenance, **of_training})
        if mean > best:
            write_expert(self.best, expert)
        write_expert(self.last, expert)

    def _diverged(self, what: str, steps: int) -> UserError:
        good = f"The last good checkpoint stays at {self.last}" if self.last.exists() else "There is no checkpoint yet"
        return UserError(
            f"training {self._task.name} diverged: {what} is not finite after {steps:,} steps. {good}. Lower learning_rate"
            " or reward_scaling, or set max_grad_norm, under policies.expert.training.overrides"
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
    """The expert with what acting needs, and nothing that only a resumed training does."""
    kept = {
        n: a for n, a in expert.tensors.items() if n.startswith("policy/") or n in ("observation_mean", "observation_std")
    }
    return Expert(kept, expert.provenance)


def hardware() -> str:
    """The devices that jax uses, and the cores that this process may use."""
    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{jax.device_count()} × {device.device_kind}, {cores} cores, {platform.machine()}"


def _identity(ppo: dict[str, Any], seed: int) -> tuple[dict[str, Any], int]:
    """What must agree for a run to be resumed: all but its length, which may be changed in between."""
    return {name: value for name, value in ppo.items() if name not in ("num_timesteps", "num_evals")}, seed


class _Ages(wrapper.Wrapper):
    """Gives environments a random age at a reset, so that batches always hold all parts of an episode.

    The first ages are uniform. Later episodes start at age 0 if `shortest` is 0; otherwise their lengths are log-uniform
    from `shortest` to the full one, so that what comes soon after a reset is seen more often.
    """

    def __init__(self, environment: Any, full: int, shortest: int) -> None:
        super().__init__(environment)
        self._full, self._shortest = full, min(shortest, full)

    def reset(self, rng: jax.Array) -> Any:
        state = self.env.reset(rng)
        keys, draws = self._draw(jax.vmap(jax.random.fold_in, (0, None))(rng, 1))  # not the keys that env.reset draws with
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


def _wrapping(staggered_starts: bool, shortest_episode: int) -> Callable:
    """Playground's wrapping for brax, with random ages in training but not in evaluation."""
    wrapped = []

    def wrap(environment: Any, episode_length: int, action_repeat: int, randomization_fn: None = None) -> Any:
        resetting = wrapper.wrap_for_brax_training(environment, episode_length, action_repeat, randomization_fn)
        wrapped.append(resetting)  # brax wraps the training environment first, then that of the evaluation
        return _Ages(resetting, episode_length, shortest_episode) if staggered_starts and len(wrapped) == 1 else resetting

    return wrap


def _networks(
    observation_size: Any,
    action_size: int,
    preprocess_observations_fn: Callable,
    *,
    policy_layers: list[int],
    value_layers: list[int],
    observation_clip: float,
) -> networks.PPONetworks:
    if observation_clip:
        preprocess_observations_fn = functools.partial(preprocess_observations_fn, max_abs_value=observation_clip)
    return networks.make_ppo_networks(
        observation_size,
        action_size,
        preprocess_observations_fn=preprocess_observations_fn,
        policy_hidden_layer_sizes=policy_layers,
        value_hidden_layer_sizes=value_layers,
    )


def _seed(seed: int, done: int) -> int:
    """brax's seed: the expert's own, another one for each resumption."""
    return int(np.random.SeedSequence((seed, done)).generate_state(1)[0] >> 1)


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
    trees: dict[str, dict] = {"policy": {}, "value": {}}
    for name, array in tensors.items():
        network, *place = name.split("/")
        if network in trees:
            trees[network].setdefault(f"hidden_{place[0]}", {})[place[1]] = array
    return statistics, {"params": trees["policy"]}, {"params": trees["value"]}
