"""Who acts: a policy turns an observation and pre-drawn noise into an action.

To add one, write a class with `draws` and `act` (see `Policy`), give it settings in `settings.policies.PolicySettings`
and name it in `POLICIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.settings.policies import ExpertPolicy, NoisePolicy, PolicySettings, ZeroPolicy
from dynamic_sparsity.simulation.noise import coloured_noise

ACTION_LIMIT = 1 - 1e-4
"""Largest magnitude of an action. MuJoCo clamps controls at the end of their range (here 1): there the step has a
kink and no derivative, and within a finite difference's step of it (1e-6) none that can be checked."""

MIN_SCALE = 1e-3
"""Smallest scale of an expert's Gaussian: brax's (`NormalTanhDistribution.min_std`)."""


@runtime_checkable
class Policy(Protocol):
    """All randomness comes from `draws`, so that an episode is a function of its seed."""

    @property
    def acts(self) -> str:
        """Names what `act` computes, with all that it depends on: traced programs are kept under it."""
        ...

    @property
    def parameters(self) -> Any:
        """Arrays (a pytree) that `act` is given: seeds that differ in these alone share a traced program."""
        ...

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """The random numbers of one episode."""
        ...

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The action (traced by jax), given parameters, observation and this step's draw."""
        ...


class _Blind:
    """Acts with its draws, whatever the observation: one traced program serves all such policies."""

    acts = "clipped draw"
    parameters = ()

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """The draw, clipped."""
        del parameters, observation
        return _within_limits(draw)


@dataclass(frozen=True)
class Noise(_Blind):
    """Coloured Gaussian noise in action space, clipped to the control range."""

    settings: NoisePolicy

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Scaled coloured noise."""
        return self.settings.scale * coloured_noise(rng, steps, action_size, self.settings.beta)


@dataclass(frozen=True)
class Zero(_Blind):
    """Zero actions."""

    settings: ZeroPolicy

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Zeros: nothing is random."""
        del rng
        return np.zeros((steps, action_size))


@dataclass(frozen=True)
class TrainedExpert:
    """A trained stochastic policy: tanh of a Gaussian around what the network says, its draws coloured noise."""

    settings: ExpertPolicy
    expert: Expert

    @property
    def acts(self) -> str:
        """The kind of network and its sizes; weights and statistics are parameters."""
        sizes = [len(bias) for _, bias in self.expert.layers]
        return f"{self.expert.provenance['network']} {sizes} clip {self.expert.provenance['observation_clip']}"

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Observation statistics and layers."""
        layers = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in self.expert.layers]
        statistics = {name: jnp.asarray(self.expert.tensors[f"observation_{name}"]) for name in ("mean", "std")}
        return {**statistics, "layers": layers}

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Standard normal draws, correlated over time unless beta is 0; zeros where the mode is asked for."""
        if self.settings.deterministic:
            return np.zeros((steps, action_size))
        return coloured_noise(rng, steps, action_size, self.settings.beta)

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """tanh(location + scale · draw): with white draws the policy as it was trained, its mode with zero."""
        clip = self.expert.provenance["observation_clip"]
        hidden = (observation - parameters["mean"]) / parameters["std"]
        hidden = jnp.clip(hidden, -clip, clip) if clip else hidden
        *inner, (kernel, bias) = parameters["layers"]
        for weights, offset in inner:
            hidden = jax.nn.swish(hidden @ weights + offset)
        location, scale = jnp.split(hidden @ kernel + bias, 2)
        return _within_limits(jnp.tanh(location + (jax.nn.softplus(scale) + MIN_SCALE) * draw))


POLICIES: dict[str, Callable[..., Policy]] = {"expert": TrainedExpert, "noise": Noise, "zero": Zero}
"""Policies by the name that config.yaml uses."""


def make_policy(name: str, settings: PolicySettings, expert: Expert | None = None) -> Policy:
    """The policy `name` with its section of the settings; the expert is what `expert` acts with, and only it needs one."""
    section = getattr(settings, name)
    return POLICIES[name](section, expert) if name == "expert" else POLICIES[name](section)


def _within_limits(action: Float[Array, " action"]) -> Float[Array, " action"]:
    return jnp.clip(action, -ACTION_LIMIT, ACTION_LIMIT)


def episode_seed(seed: int, episode: int) -> int:
    """The 64-bit seed of one episode's reset and draws: a hash of (seed, episode), the same in every run."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1, np.uint64)[0])


def reset_key(seed: int) -> jax.Array:
    """The jax key with which Playground resets an episode of that `episode_seed`: its two halves."""
    return jnp.array([seed >> 32, seed & 0xFFFFFFFF], dtype=jnp.uint32)
