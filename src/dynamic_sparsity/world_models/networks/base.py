"""What every world model offers, for one sample of standardised inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float


class Network(nnx.Module):
    """A world model. Subclasses predict; those that hold masks say which, and what they cost."""

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        raise NotImplementedError

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """The prediction in training, with what is random there."""
        del key
        return self(x)

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """How dense the masks are, from 0 (all closed) to 1 (all open)."""
        return jnp.zeros((), x.dtype)

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"] | None:
        """Which inputs each output depends on; None for a network without masks."""
        del x
        return None
