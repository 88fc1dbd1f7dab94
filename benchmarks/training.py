"""Time of an epoch of the paper's MLP: its matrix products alone, with losses on the Jacobian, two seeds at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.process import measured

STEPS, INPUTS, OUTPUTS, BATCH = 100_000, 24, 18, 256  # CheetahRun
REPEATS = 3


def measure() -> list[dict[str, object]]:
    """Seconds of one epoch over 100,000 transitions of CheetahRun's size on one pinned core, and ratios."""
    return [measured("training")]


def transitions() -> tuple[Any, Any]:
    """Random transitions of CheetahRun's size, and their tree; call after jax is configured."""
    import numpy as np

    from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
    from dynamic_sparsity.world_models.data import Transitions

    rng = np.random.default_rng(0)
    arrays = (rng.normal(size=(STEPS, n)).astype(np.float32) for n in (INPUTS, OUTPUTS))
    jacobian = np.zeros((STEPS, OUTPUTS, INPUTS), np.float32)
    data = Transitions(*arrays, jacobian, jacobian == 0, np.zeros(STEPS, int), ("expert",))
    return data, KinematicTree((), ((),) * INPUTS, (0,) * OUTPUTS)  # an MLP needs only the sizes


def epoch(data: Any, tree: Any, **settings: Any) -> Callable[[], object]:
    """A compiled epoch of the paper's MLP on all transitions."""
    import jax

    from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelTraining
    from dynamic_sparsity.world_models.training import Trainer

    parts = {"training": data, "validation": data.of_episodes([])}
    trainer = Trainer(WorldModelSettings(**settings), WorldModelTraining(epochs=1, batch=BATCH), parts, tree, 0)
    compiled = jax.jit(trainer._epoch())
    parameters, optimiser, _ = trainer._state
    return lambda: jax.block_until_ready(compiled(parameters, optimiser, jax.random.key(0), trainer._data["training"]))


def products(data: Any) -> Callable[[], object]:
    """The forward product and both backward products of every layer, for all batches of an epoch, compiled."""
    import jax
    import jax.numpy as jnp

    sizes = [INPUTS, 512, 512, OUTPUTS]
    weights = [jnp.ones(pair, jnp.float32) for pair in zip(sizes[:-1], sizes[1:], strict=True)]

    def step(total: list[jax.Array], batch: jax.Array) -> tuple[list[jax.Array], None]:
        activations = [batch]
        for weight in weights:
            activations.append(activations[-1] @ weight)
        slope, total = activations[-1], list(total)
        for number, weight in reversed(list(enumerate(weights))):
            total[number] += activations[number].T @ slope
            slope = slope @ weight.T if number else slope
        return total, None

    compiled = jax.jit(lambda x: jax.lax.scan(step, [0 * weight for weight in weights], x)[0])
    x = jnp.asarray(data.inputs[: STEPS // BATCH * BATCH].reshape(-1, BATCH, INPUTS))
    return lambda: jax.block_until_ready(compiled(x))


def two_seeds(data: Any, tree: Any) -> Callable[[], object]:
    """An epoch of two networks side by side in one compiled program."""
    import jax
    import jax.numpy as jnp

    from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelTraining
    from dynamic_sparsity.world_models.training import Trainer

    parts = {"training": data, "validation": data.of_episodes([])}
    training = WorldModelTraining(epochs=1, batch=BATCH)
    trainers = [Trainer(WorldModelSettings(), training, parts, tree, seed) for seed in (0, 1)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(trainer._state[:2] for trainer in trainers))
    compiled = jax.jit(jax.vmap(trainers[0]._epoch(), in_axes=(0, 0, 0, None)))
    keys = jax.random.split(jax.random.key(0), 2)
    return lambda: jax.block_until_ready(compiled(*stacked, keys, trainers[0]._data["training"]))


def _epochs() -> dict[str, float]:
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, large_batches=True)
    data, tree = transitions()
    seconds = {"products_s": median_s(products(data)), "mlp_s": median_s(epoch(data, tree))}
    for loss in ("mse", "mae", "l1", "sae"):
        seconds[f"{loss}_j_s"] = median_s(epoch(data, tree, jacobian_loss=loss))
    slowest = max(seconds[f"{loss}_j_s"] for loss in ("mse", "mae", "l1", "sae"))
    ratios = {"mlp_over_products": seconds["mlp_s"] / seconds["products_s"], "jacobian_over_mlp": slowest / seconds["mlp_s"]}
    ratios["two_seeds_together_over_apart"] = median_s(two_seeds(data, tree)) / (2 * seconds["mlp_s"])
    return {**seconds, **ratios}


def median_s(function: Callable[[], object]) -> float:
    """Median seconds of a call, after a first call that warms up."""
    function()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return sorted(times)[REPEATS // 2]


if __name__ == "__main__":
    print(json.dumps(_epochs()))
