"""Policy `noise`: coloured Gaussian noise in action space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.simulation.noise import coloured_noise
from dynamic_sparsity.simulation.policies.base import Blind


@dataclass(frozen=True)
class Noise(Blind):
    """Coloured Gaussian noise, clipped to the control range."""

    beta: float
    """Exponent of the power spectrum 1/f^beta."""
    scale: float
    """Standard deviation, in units of half the control range."""

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Coloured noise with standard deviation `scale`."""
        return self.scale * coloured_noise(rng, steps, action_size, self.beta)


def make(_: Expert | None, *, beta: float, scale: float) -> Noise:
    """The policy `noise`; it needs no expert."""
    return Noise(beta, scale)
