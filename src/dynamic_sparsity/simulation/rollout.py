"""Rollouts: episodes of a task under a policy, with Playground's own step and precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from dynamic_sparsity.simulation.chunks import CHUNK_STEPS, chunks
from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.policies.base import Policy, episode_seed, reset_key
from dynamic_sparsity.simulation.programs import load_program
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import NextState, Recorded
from dynamic_sparsity.stores.schema import TIME, labels, padded

_Arrays = tuple[Any, ...]
"""Leaves of a pytree."""


class Episode(NamedTuple):
    """One recorded episode, time first in all arrays but `mocap_pos`, which the reset draws for the whole episode."""

    start: Recorded
    next_state: NextState
    reward: np.ndarray
    done: np.ndarray
    mocap_pos: np.ndarray
    seed: int

    @property
    def length(self) -> int:
        """Control steps up to and including the first that ends the episode; later steps do not belong to it."""
        ends = np.flatnonzero(self.done)
        return int(ends[0]) + 1 if len(ends) else len(self.done)

    def trimmed(self) -> Episode:
        """The episode up to its end."""
        cut = jax.tree.map(lambda array: array[: self.length] if np.ndim(array) else array, self)
        return cut._replace(mocap_pos=self.mocap_pos)


class Roller:
    """Rolls out episodes of one task under one policy."""

    def __init__(self, task: Task, policy: Policy) -> None:
        self._task, self._policy = task, policy
        self._parameters = tuple(jax.tree.leaves(policy.parameters))
        self._reset = load_program("reset", self._build_reset, modules=[__name__], task=task.name)

    @functools.cached_property
    def _advance(self) -> Callable[..., Any]:
        """The program that advances an episode; loaded late, so that a policy of the wrong size is reported first."""
        modules = [__name__, type(self._policy).act.__module__]  # policies that share `act` share a program
        identity = {"task": self._task.name, "acts": self._policy.acts}
        return load_program("advance", self._build_advance, modules=modules, **identity)

    @functools.cached_property
    def observation_size(self) -> int:
        """Length of the task's observation."""
        return len(self._reset(reset_key(0))[1])

    def episode(self, seed: int, episode: int, steps: int) -> Episode:
        """Episode number `episode` of the study seed `seed`; it depends on these two and on no other episode."""
        number = episode_seed(seed, episode)
        draws = self._policy.draws(np.random.default_rng(number), steps, self._task.model.nu).astype(np.float32)
        mocap_pos, _, *leaves = self._reset(reset_key(number))
        leaves = tuple(leaves)
        pieces = []
        for chunk in chunks(draws):
            leaves, recorded = self._advance(self._parameters, leaves, chunk)
            pieces.append(jax.tree.map(np.asarray, recorded))
        joined = [np.concatenate(arrays)[:steps] for arrays in zip(*pieces, strict=True)]
        split = len(Recorded._fields), len(Recorded._fields) + len(NextState._fields)
        start, after = Recorded(*joined[: split[0]]), NextState(*joined[split[0] : split[1]])
        reward, done = joined[split[1] :]
        return Episode(start, after, reward, done.astype(bool), np.asarray(mocap_pos), number)

    def _build_reset(self) -> tuple[Callable[..., Any], _Arrays]:
        def reset(key: jax.Array) -> tuple[jax.Array, ...]:
            state = self._task.environment.reset(key)
            return state.data.mocap_pos, state.obs, *jax.tree.leaves(state)

        return reset, (reset_key(0),)

    def _build_advance(self) -> tuple[Callable[..., Any], _Arrays]:
        environment, policy = self._task.environment, self._policy
        state = jax.eval_shape(environment.reset, reset_key(0))
        shapes, structure = jax.tree.flatten(state)
        weights, weights_structure = jax.tree.flatten(policy.parameters)

        def step(parameters: Any, leaves: _Arrays, draw: jax.Array) -> tuple[_Arrays, _Arrays]:
            before = jax.tree.unflatten(structure, leaves)
            after = environment.step(before, policy.act(parameters, before.obs, draw))
            data = before.data
            start = Recorded(data.qpos, data.qvel, data.act, data.qacc_warmstart, after.data.ctrl)
            end = NextState(after.data.qpos, after.data.qvel, after.data.act)
            leaves = tuple(new.astype(old.dtype) for new, old in zip(jax.tree.leaves(after), leaves, strict=True))
            return leaves, (*start, *end, after.reward, after.done)

        def advance(weights: _Arrays, leaves: _Arrays, draws: jax.Array) -> tuple[_Arrays, _Arrays]:
            parameters = jax.tree.unflatten(weights_structure, weights)
            return jax.lax.scan(functools.partial(step, parameters), leaves, draws)

        draws = jax.ShapeDtypeStruct((CHUNK_STEPS, self._task.model.nu), jnp.float32)
        weights, leaves = (tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays) for arrays in (weights, shapes))
        return advance, (weights, leaves, draws)


def rollout_dataset(episode: Episode, coordinates: Coordinates, steps: int) -> xr.Dataset:
    """One labelled episode, padded along `time` to `steps` (floats with NaN); `length` is the number of real steps."""
    qpos, dof, activation, actuator = (TIME, "qpos_dim"), (TIME, "dof"), (TIME, "activation"), (TIME, "actuator")
    start, after = episode.start, episode.next_state
    dims = {
        "qpos": (qpos, start.qpos, "position: m, rad, unit quaternion"),
        "qvel": (dof, start.qvel, "m/s, rad/s"),
        "act": (activation, start.act, "actuator activation"),
        "qacc_warmstart": (dof, start.qacc_warmstart, "m/s^2, rad/s^2"),
        "ctrl": (actuator, start.ctrl, "control input, as sent to MuJoCo"),
        "next_qpos": (qpos, after.qpos, "position: m, rad, unit quaternion"),
        "next_qvel": (dof, after.qvel, "m/s, rad/s"),
        "next_act": (activation, after.act, "actuator activation"),
        "reward": ((TIME,), episode.reward, "1"),
        "done": ((TIME,), episode.done, "1"),
    }
    arrays = {name: (dim, padded(array, steps), {"units": units}) for name, (dim, array, units) in dims.items()}
    arrays["mocap_pos"] = (
        ("mocap", "axis"),
        episode.mocap_pos,
        {"units": "m", "meaning": "moving targets, drawn at the reset"},
    )
    scalars = {"length": ((), np.int32(episode.length)), "episode_seed": ((), np.uint64(episode.seed))}
    coords = {
        "qpos_dim": labels(coordinates.qpos),
        "dof": labels(coordinates.dofs),
        "activation": labels(coordinates.activations),
        "actuator": labels(coordinates.actuators),
        "mocap": labels(coordinates.mocap),
        "axis": labels("xyz"),
    }
    return xr.Dataset({**arrays, **scalars}, coords=coords)
