"""Policy `expert`: a trained stochastic policy (brax's PPO network), sampled with coloured noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.simulation.noise import coloured_noise
from dynamic_sparsity.simulation.policies.base import within_limits

MIN_SCALE = 1e-3
"""Smallest standard deviation of an expert's Gaussian: brax's (`NormalTanhDistribution.min_std`)."""


@dataclass(frozen=True)
class TrainedExpert:
    """The tanh of a Gaussian whose location and scale the network computes."""

    expert: Expert
    beta: float = 0.5
    """Exponent of the power spectrum 1/f^beta of the draws; 0: white noise, which samples the policy itself."""
    deterministic: bool = False
    """Whether actions are the policy's mode, without noise."""

    @property
    def acts(self) -> str:
        """The kind and sizes of the network. Weights and observation statistics are parameters."""
        sizes = [len(bias) for _, bias in self.expert.layers]
        return f"{self.expert.provenance['network']} {sizes} clip {self.expert.provenance['observation_clip']}"

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Observation statistics, and kernel and bias of each layer."""
        layers = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in self.expert.layers]
        statistics = {name: jnp.asarray(self.expert.tensors[f"observation_{name}"]) for name in ("mean", "std")}
        return {**statistics, "layers": layers}

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Standard normal numbers, correlated over time unless beta is 0; zeros for a deterministic policy."""
        if self.deterministic:
            return np.zeros((steps, action_size))
        return coloured_noise(rng, steps, action_size, self.beta)

    def act(self, parameters: Any, observation: Any, draw: Float[Array, " action"]) -> Float[Array, " action"]:
        """tanh(location + scale · draw). White noise samples the policy as it was trained; zeros give its mode."""
        clip = self.expert.provenance["observation_clip"]
        hidden = (observation - parameters["mean"]) / parameters["std"]
        hidden = jnp.clip(hidden, -clip, clip) if clip else hidden
        *inner, (kernel, bias) = parameters["layers"]
        for weights, offset in inner:
            hidden = jax.nn.swish(hidden @ weights + offset)
        location, scale = jnp.split(hidden @ kernel + bias, 2)
        return within_limits(jnp.tanh(location + (jax.nn.softplus(scale) + MIN_SCALE) * draw))


def make(expert: Expert | None, *, source: str, beta: float, deterministic: bool, training: dict[str, Any]) -> TrainedExpert:
    """The expert as a policy. The settings of its source and training do not affect how it acts."""
    del source, training
    if expert is None:
        raise ValueError("the policy `expert` needs an expert's file")
    return TrainedExpert(expert, beta, deterministic)
