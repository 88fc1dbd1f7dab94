"""Policy `zero`: zero controls, which leave the system passive."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dynamic_sparsity.experts.expert import Expert
from dynamic_sparsity.simulation.policies.base import Blind


class Zero(Blind):
    """Controls that are always zero."""

    def draws(self, rng: np.random.Generator, steps: int, action_size: int) -> Float[np.ndarray, "steps action"]:
        """Zeros; `rng` is not used."""
        del rng
        return np.zeros((steps, action_size))


def make(_: Expert | None) -> Zero:
    """The policy `zero`; it needs no expert."""
    return Zero()
