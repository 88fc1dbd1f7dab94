"""Networks that predict the next state from state and control, for one sample; `NETWORKS` names them.

Inputs and outputs are standardised. A masked network says by `mask` which inputs each output may depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from dynamic_sparsity.settings import WorldModelSettings

Activation = Callable[[jax.Array], jax.Array]
Maker = Callable[[int, int, WorldModelSettings, nnx.Rngs], "Network"]


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
        """What the loss adds for the density of the masks, before its weight."""
        return jnp.zeros((), x.dtype)

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"] | None:
        """Which inputs each output depends on; None for a network without masks."""
        del x
        return None


class Mlp(Network):
    """Hidden layers of one width; the paper's has two of 512 with ELU."""

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, activation: Activation, rngs: nnx.Rngs) -> None:
        sizes = [inputs, *[width] * depth, outputs]
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in zip(sizes[:-1], sizes[1:], strict=True)])
        self.activation = activation

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Residual(Network):
    """Blocks x + f(x) between two linear layers (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        self.first, self.last = nnx.Linear(inputs, width, rngs=rngs), nnx.Linear(width, outputs, rngs=rngs)
        self.blocks = nnx.List([nnx.List([nnx.Linear(width, width, rngs=rngs) for _ in range(2)]) for _ in range(depth)])

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction."""
        x = self.first(x)
        for inner, outer in self.blocks:
            x = x + outer(nnx.elu(inner(nnx.elu(x))))
        return self.last(nnx.elu(x))


class Experts(Network):
    """A mixture of experts with a dense softmax gate; linear experts make it piecewise affine where the gate is sure."""

    def __init__(self, inputs: int, outputs: int, size: WorldModelSettings, rngs: nnx.Rngs, *, linear: bool) -> None:
        self.gate = Mlp(inputs, size.experts, size.width, 1, nnx.elu, rngs)
        if linear:
            self.experts = nnx.List([nnx.Linear(inputs, outputs, rngs=rngs) for _ in range(size.experts)])
        else:
            several = [Mlp(inputs, outputs, size.width, size.depth, nnx.elu, rngs) for _ in range(size.experts)]
            self.experts = nnx.List(several)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The experts' predictions, weighted by the gate."""
        return nnx.softmax(self.gate(x)) @ jnp.stack([expert(x) for expert in self.experts])


class Gated(Network):
    """One small MLP per output, each behind a mask of its inputs that depends on the state.

    The masks are hard concrete (Louizos, Welling, Kingma 2018, arXiv 1712.01312): random in training, and at their
    mean, which is exactly 0 or 1 where the gate is sure, otherwise. State-dependent masks after Pitis et al. 2020
    (arXiv 2007.02863) and Hwang et al. 2024 (arXiv 2406.03234); the penalty is the expected share of open gates.
    """

    TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
    OPEN = 2.0
    """Added to the logits: gates are open at first."""

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        self.gate = Mlp(inputs, outputs * inputs, width, 1, nnx.elu, rngs)
        sizes = [inputs, *[max(1, width // 8)] * depth, 1]
        normal = lambda a, b: jax.random.normal(rngs.params(), (outputs, a, b), jnp.float32) / math.sqrt(a)  # noqa: E731
        self.kernels = nnx.List([nnx.Param(normal(a, b)) for a, b in zip(sizes[:-1], sizes[1:], strict=True)])
        self.biases = nnx.List([nnx.Param(jnp.zeros((outputs, b), jnp.float32)) for b in sizes[1:]])
        self.shape = (outputs, inputs)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """With gates at their mean."""
        return self._behind(self._gates(self._logits(x)), x)

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """With gates drawn."""
        drawn = (self._logits(x) + jax.random.logistic(key, self.shape, x.dtype)) / self.TEMPERATURE
        return self._behind(self._gates(drawn), x)

    def _behind(self, gates: Float[Array, "out in"], x: Float[Array, " in"]) -> Float[Array, " out"]:
        hidden = gates * x
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            hidden = jnp.einsum("oi,oih->oh", nnx.elu(hidden) if number else hidden, kernel[...]) + bias[...]
        return hidden[:, 0]

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """Expected share of open gates."""
        return nnx.sigmoid(self._logits(x) - self.TEMPERATURE * math.log(-self.LOW / self.HIGH)).mean()

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"]:
        """Gates that let anything pass."""
        return self._gates(self._logits(x)) > 0

    def _logits(self, x: Float[Array, " in"]) -> Float[Array, "out in"]:
        return self.gate(x).reshape(self.shape) + self.OPEN

    def _gates(self, logits: Float[Array, "out in"]) -> Float[Array, "out in"]:
        return jnp.clip(nnx.sigmoid(logits) * (self.HIGH - self.LOW) + self.LOW, 0, 1)


def _mlp(activation: Activation) -> Maker:
    return lambda inputs, outputs, size, rngs: Mlp(inputs, outputs, size.width, size.depth, activation, rngs)


NETWORKS: dict[str, Maker] = {
    "mlp": _mlp(nnx.elu),
    "relu": _mlp(nnx.relu),
    "residual": lambda inputs, outputs, size, rngs: Residual(inputs, outputs, size.width, size.depth, rngs),
    "experts": lambda inputs, outputs, size, rngs: Experts(inputs, outputs, size, rngs, linear=False),
    "linear_experts": lambda inputs, outputs, size, rngs: Experts(inputs, outputs, size, rngs, linear=True),
    "gated": lambda inputs, outputs, size, rngs: Gated(inputs, outputs, size.width, size.depth, rngs),
}
"""Each takes the numbers of inputs and outputs, the settings that say its size, and where its weights are drawn from."""
