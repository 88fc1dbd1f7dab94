"""Who acts: a policy turns an observation and pre-drawn noise into an action.

To add one, write a class with `draws` and `act` (see `Policy`), give it settings in `settings.PolicySettings`
and name it in `POLICIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynamic_sparsity.settings import NoisePolicy, PolicySettings, ZeroPolicy
from dynamic_sparsity.simulation.noise import coloured_noise

ACTION_LIMIT = 1 - 1e-4
"""Largest magnitude of an action. MuJoCo clamps controls at the end of their range (here 1): there the step has a
kink and no derivative, and within a finite difference's step of it (1e-6) none that can be checked."""


@runtime_checkable
class Policy(Protocol):
    """All randomness comes from `draws`, so that an episode is a function of its seed."""

    @property
    def acts(self) -> str:
        """Names what `act` computes, with all that it depends on: traced programs are kept under it."""
        ...

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """The random numbers of one episode."""
        ...

    def act(self, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The action (traced by jax), given the observation and this step's draw."""
        ...


@dataclass(frozen=True)
class Noise:
    """Coloured Gaussian noise in action space, clipped to the control range; blind to the observation."""

    settings: NoisePolicy
    acts: str = "clipped draw"

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Scaled coloured noise."""
        return self.settings.scale * coloured_noise(rng, steps, action_size, self.settings.beta)

    def act(self, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The draw, clipped."""
        del observation
        return jnp.clip(draw, -ACTION_LIMIT, ACTION_LIMIT)


@dataclass(frozen=True)
class Zero:
    """Zero actions."""

    settings: ZeroPolicy
    acts: str = "zero"

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Zeros: nothing is random."""
        del rng
        return np.zeros((steps, action_size))

    def act(self, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """Zeros."""
        del observation
        return jnp.zeros_like(draw)


POLICIES: dict[str, Callable[[Any], Policy]] = {"noise": Noise, "zero": Zero}
"""Policies by the name that config.yaml uses."""


def make_policy(name: str, settings: PolicySettings) -> Policy:
    """The policy `name` with its section of the settings."""
    return POLICIES[name](getattr(settings, name))


def episode_seed(seed: int, episode: int) -> int:
    """The 64-bit seed of one episode's reset and draws: a hash of (seed, episode), the same in every run."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1, np.uint64)[0])


def reset_key(seed: int) -> jax.Array:
    """The jax key with which Playground resets an episode of that `episode_seed`: its two halves."""
    return jnp.array([seed >> 32, seed & 0xFFFFFFFF], dtype=jnp.uint32)
