"""The interface of policies, and the seeds of episodes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

ACTION_LIMIT = 1 - 1e-4
"""Largest magnitude of an action. MuJoCo clamps controls to their range, here from -1 to 1. At the ends of the range
the step has a kink and no derivative, and within a finite difference's width (1e-6) of them no derivative can be
checked."""


@runtime_checkable
class Policy(Protocol):
    """A way to choose actions. All randomness comes from `draws`, so that an episode is a function of its seed."""

    @property
    def acts(self) -> str:
        """A name for the function that `act` computes, under which traced programs are stored."""
        ...

    @property
    def parameters(self) -> Any:
        """Arrays (a pytree) that are passed to `act`. Policies that differ only in these share a traced program."""
        ...

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """The random numbers of one episode, for each step and control."""
        ...

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The action for one observation and the random numbers of this step. jax traces this function."""
        ...


class Blind:
    """A policy that ignores the observation: its draws are its actions. All such policies share a traced program."""

    acts = "clipped draw"
    parameters = ()

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The draw, clipped to `ACTION_LIMIT`."""
        del parameters, observation
        return within_limits(draw)


def within_limits(action: Float[Array, " action"]) -> Float[Array, " action"]:
    """The action, clipped to `ACTION_LIMIT`."""
    return jnp.clip(action, -ACTION_LIMIT, ACTION_LIMIT)


def episode_seed(seed: int, episode: int) -> int:
    """The 64-bit seed of one episode's reset and draws: a hash of (study seed, episode) that never changes."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1, np.uint64)[0])


def reset_key(seed: int) -> jax.Array:
    """The jax key with which Playground resets an episode: the two halves of its `episode_seed`."""
    return jnp.array([seed >> 32, seed & 0xFFFFFFFF], dtype=jnp.uint32)
