"""Train one world model: Adam, the weights of the best epoch, a time budget, and checkpoints to resume from."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dynamic_sparsity.files.whole import whole
from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelTraining
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.data import Transitions
from dynamic_sparsity.world_models.losses import jacobian_loss, prediction_and_columns, random_columns
from dynamic_sparsity.world_models.networks import Network, make_network

DIVERGED, STOPPED, BUDGET, DONE, UNTRAINED = "diverged", "stopped early", "out of time", "all epochs", "untrained"


@dataclass(frozen=True)
class Trained:
    """A trained model, with the weights of its best epoch, and how its training went."""

    network: Network
    history: np.ndarray
    """Training and validation loss after each epoch, [epoch, 2]."""
    ended: str
    """`stopped early`, `all epochs`, `out of time`, `untrained` or `diverged`. A model that diverged also has the
    weights of its best epoch, or its initial weights if it finished none."""
    seconds: float
    """Wall time of the training, including the time before an interruption."""


def build(model: WorldModelSettings, tree: KinematicTree, seed: int) -> Network:
    """An untrained network for the variables of `tree`, its weights drawn with `seed`, the training seed."""
    return make_network(tree, model, nnx.Rngs(seed))


class _Samples(NamedTuple):
    """Standardised transitions in single precision."""

    x: jax.Array
    """Inputs, [step, in]."""
    y: jax.Array
    """Outputs, [step, out]."""
    columns: jax.Array
    """Columns of the true Jacobian, [step, in, out]: losses pick columns."""
    zero: jax.Array
    """1 where an entry is zero, [step, in, out]."""
    zeros: jax.Array
    """Share of zeros at each step."""
    largest: jax.Array
    """Largest magnitude of an entry of the true Jacobian at each step."""


class Trainer:
    """Trains one network on standardised transitions."""

    def __init__(
        self,
        model: WorldModelSettings,
        training: WorldModelTraining,
        data: dict[str, Transitions],
        tree: KinematicTree,
        seed: int,
        checkpoint: Path | None = None,
    ) -> None:
        """Prepare the training.

        `data` holds the standardised parts `training` and `validation`; `seed` is the training seed. `checkpoint` is
        written after every epoch, and a training of the same model on the same data resumes from it.
        """
        self._model, self._training, self._seed, self._checkpoint = model, training, seed, checkpoint
        self._tree = tree
        self._data = {part: _samples(transitions) for part, transitions in data.items()}
        self._graph, parameters = nnx.split(build(model, tree, seed))
        steps = max(1, len(self._data["training"].x) // training.batch) * training.epochs
        self._optimiser = optax.adam(optax.cosine_decay_schedule(training.learning_rate, steps))
        self._state = (parameters, self._optimiser.init(cast(Any, parameters)), parameters)  # current, optimiser, best
        self._history: list[tuple[float, float]] = []
        self._seconds = 0.0

    def run(self) -> Trained:
        """Train until the last epoch, the time budget, early stopping or, as `diverged`, a loss that is not finite."""
        if not self._model.trained:
            return Trained(nnx.merge(self._graph, self._state[0]), np.zeros((0, 2)), UNTRAINED, 0.0)
        self._resume()
        epoch, validate = jax.jit(self._epoch(), donate_argnums=(0, 1)), jax.jit(self._validation())
        started, earlier_seconds = time.monotonic(), self._seconds
        ended = DONE
        while len(self._history) < self._training.epochs:
            if self._training.patience is not None and self._epochs_since_best() >= self._training.patience:
                ended = STOPPED
                break
            if self._seconds > self._training.seconds:
                ended = BUDGET
                break
            parameters, optimiser, best = self._state
            key = jax.random.fold_in(jax.random.key(self._seed), len(self._history))
            parameters, optimiser, loss = epoch(jax.tree.map(jnp.copy, parameters), optimiser, key, self._data["training"])
            losses = float(loss), float(validate(parameters, self._data["validation"]))
            if not np.isfinite(losses).all():
                ended = DIVERGED
                break
            if losses[1] < min((past for _, past in self._history), default=np.inf):
                best = parameters
            self._state = (parameters, optimiser, best)
            self._history.append(losses)
            print(f"epoch {len(self._history)}: training {losses[0]:.4g}, validation {losses[1]:.4g}", flush=True)
            self._seconds = earlier_seconds + time.monotonic() - started
            self._keep()
        network = nnx.merge(self._graph, self._state[2])
        return Trained(network, np.array(self._history).reshape(-1, 2), ended, self._seconds)

    def _loss(self, parameters: nnx.State[Any, Any], data: _Samples, chosen: jax.Array, key: jax.Array) -> jax.Array:
        """Mean over the chosen steps of the whole loss: on the outputs, on the Jacobian, and on open masks."""
        network, model = nnx.merge(self._graph, parameters), self._model
        drawing, choosing = jax.random.split(key)
        x, y, keys = data.x[chosen], data.y[chosen], jax.random.split(drawing, len(chosen))
        if model.jacobian_loss is None:
            predicted, loss = jax.vmap(network.sampled)(x, keys), jnp.zeros(())
        else:
            columns = random_columns(choosing, *x.shape, model.jacobian_columns)
            predicted, entries = jax.vmap(prediction_and_columns, in_axes=(None, 0, 0, 0))(network, x, keys, columns)
            truth, zero = (array[chosen[:, None], columns] for array in (data.columns, data.zero))
            if model.jacobian_errors == "relative" and model.jacobian_loss != "l1":
                unit = jnp.maximum(1, data.largest[chosen])[:, None, None]
                entries, truth = entries / unit, truth / unit
            loss_of = functools.partial(jacobian_loss, model.jacobian_loss)
            loss = model.jacobian_weight * jax.vmap(loss_of)(entries, truth, zero, data.zeros[chosen]).mean()
        density = jax.vmap(network.penalty)(x).mean()
        return jnp.mean((predicted - y) ** 2) + loss + model.mask_weight * jnp.maximum(density - model.mask_budget, 0)

    def _epoch(self) -> Callable[..., Any]:
        """A function that trains for one epoch, over batches in random order, and returns the mean loss."""
        size = self._training.batch

        def epoch(parameters: nnx.State[Any, Any], optimiser: Any, key: jax.Array, data: _Samples) -> tuple[Any, ...]:
            steps = len(data.x)
            count = max(1, steps // size)
            order = jax.random.permutation(key, steps)[: count * size].reshape(count, -1)

            def step(carry: tuple[Any, ...], batch: tuple[Any, ...]) -> tuple[tuple[Any, ...], jax.Array]:
                parameters, optimiser = carry
                chosen, number = batch
                loss, slope = jax.value_and_grad(self._loss)(parameters, data, chosen, jax.random.fold_in(key, number))
                update, optimiser = self._optimiser.update(slope, optimiser)
                return (optax.apply_updates(parameters, update), optimiser), loss

            (parameters, optimiser), losses = jax.lax.scan(step, (parameters, optimiser), (order, jnp.arange(count)))
            return parameters, optimiser, losses.mean()

        return epoch

    def _validation(self) -> Callable[..., Any]:
        """A function for the validation loss, which uses the same random draws in every epoch."""
        return lambda parameters, data: self._loss(parameters, data, jnp.arange(len(data.x)), jax.random.key(0))

    def _epochs_since_best(self) -> int:
        """How many epochs have passed since the one with the lowest validation loss."""
        losses = [validation for _, validation in self._history]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0

    @functools.cached_property
    def _identity(self) -> str:
        """Model, training settings, seed, tree and a digest of the data: only checkpoints with the same are resumed."""
        digest = hashlib.sha256()
        for array in (*self._data["training"], *self._data["validation"]):
            digest.update(f"{array.shape}".encode())
            digest.update(np.asarray(array).tobytes())
        parts = [self._model.model_dump(), self._training.model_dump(), self._seed, str(self._tree), digest.hexdigest()]
        return json.dumps(parts, sort_keys=True)

    def _keep(self) -> None:
        """Write the checkpoint."""
        if self._checkpoint is None:
            return
        tensors = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(self._state))}
        metadata = {"identity": self._identity, "history": json.dumps(self._history), "seconds": str(self._seconds)}
        with whole(self._checkpoint) as (beside,):
            beside.write_bytes(save(tensors, metadata=metadata))

    def _resume(self) -> None:
        """Continue from the checkpoint, if it is readable and belongs to this training."""
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        try:
            with safe_open(self._checkpoint, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("identity") != self._identity:
                    print(f"{self._checkpoint} belongs to another training: started anew", flush=True)
                    return
                leaves = [file.get_tensor(str(number)) for number in range(len(jax.tree.leaves(self._state)))]
        except (SafetensorError, OSError) as error:
            print(f"{self._checkpoint} cannot be read ({error}): started anew", flush=True)
            return
        self._state = jax.tree.unflatten(jax.tree.structure(self._state), map(jnp.asarray, leaves))
        self._history = [tuple(losses) for losses in json.loads(metadata["history"])]
        self._seconds = float(metadata["seconds"])
        print(f"{self._checkpoint}: resumed after {len(self._history)} epochs", flush=True)


def _samples(transitions: Transitions) -> _Samples:
    zero = transitions.zero
    columns = (np.swapaxes(array, 1, 2) for array in (transitions.jacobian, zero))
    largest = np.abs(transitions.jacobian).max(axis=(1, 2), initial=0)
    arrays = (transitions.inputs, transitions.outputs, *columns, zero.mean(axis=(1, 2)), largest)
    return _Samples(*(jnp.asarray(array, jnp.float32) for array in arrays))
