"""One small MLP per output, each behind a state-dependent mask of its inputs."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network
from dynamic_sparsity.world_models.networks.gates import OPEN, drawn_gates, mean_gates, open_chance
from dynamic_sparsity.world_models.networks.mlp import Mlp


class Gated(Network):
    """State-dependent masks after Pitis et al. 2020 (arXiv 2007.02863) and Hwang et al. 2024 (arXiv 2406.03234).

    The hard concrete gates come from an MLP with `width` hidden units that reads the whole input. The MLP behind the
    mask of each output has `depth` hidden layers of an eighth of that width.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, rngs: nnx.Rngs) -> None:
        self.gate = Mlp(inputs, outputs * inputs, width, 1, nnx.elu, rngs)
        sizes = [inputs, *[max(1, width // 8)] * depth, 1]
        normal = lambda a, b: jax.random.normal(rngs.params(), (outputs, a, b), jnp.float32) / math.sqrt(a)  # noqa: E731
        self.kernels = nnx.List([nnx.Param(normal(a, b)) for a, b in zip(sizes[:-1], sizes[1:], strict=True)])
        self.biases = nnx.List([nnx.Param(jnp.zeros((outputs, b), jnp.float32)) for b in sizes[1:]])
        self.shape = (outputs, inputs)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The prediction with mean gates."""
        return self._behind(mean_gates(self._logits(x)), x)

    def sampled(self, x: Float[Array, " in"], key: jax.Array) -> Float[Array, " out"]:
        """The prediction with random gates."""
        return self._behind(drawn_gates(self._logits(x), key), x)

    def penalty(self, x: Float[Array, " in"]) -> jax.Array:
        """Expected share of gates that are not 0."""
        return open_chance(self._logits(x)).mean()

    def mask(self, x: Float[Array, " in"]) -> Bool[Array, "out in"]:
        """Gates that are not 0."""
        return mean_gates(self._logits(x)) > 0

    def _behind(self, gates: Float[Array, "out in"], x: Float[Array, " in"]) -> Float[Array, " out"]:
        """The outputs of the small MLPs, whose inputs are multiplied by the gates."""
        hidden = gates * x
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            hidden = jnp.einsum("oi,oih->oh", nnx.elu(hidden) if number else hidden, kernel[...]) + bias[...]
        return hidden[:, 0]

    def _logits(self, x: Float[Array, " in"]) -> Float[Array, "out in"]:
        """Logits of the gates."""
        return self.gate(x).reshape(self.shape) + OPEN


def make(tree: KinematicTree, size: WorldModelSettings, rngs: nnx.Rngs) -> Gated:
    """`depth` hidden layers behind the gates."""
    return Gated(tree.inputs, tree.outputs, size.width, size.depth, rngs)
