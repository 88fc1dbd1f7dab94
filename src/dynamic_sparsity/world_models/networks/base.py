"""The interface of every world model, for one sample of standardised inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float


class Network(nnx.Module):
    """A world model. Every subclass predicts; one with masks also overrides `penalty`, `mask` and usually `sampled`."""

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The standardised output: the next state or the change of the state."""
        raise NotImplementedError

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """The prediction in training, where masks are random; the same as `__call__` for a network without masks."""
        del key
        return self(x)

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """Density of the masks, from 0 (all closed) to 1 (all open); 0 for a network without masks."""
        return jnp.zeros((), x.dtype)

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"] | None:
        """Inputs that each output may depend on; None for a network without masks."""
        del x
        return None
