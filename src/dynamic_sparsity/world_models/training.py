"""Training one world model: Adam, early stopping, a time budget, and checkpoints that a killed run resumes from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dynamic_sparsity.settings import WorldModelSettings, WorldModelTraining
from dynamic_sparsity.world_models.data import Transitions
from dynamic_sparsity.world_models.losses import jacobian_loss, prediction_loss, random_columns
from dynamic_sparsity.world_models.networks import NETWORKS, Network

DIVERGED, STOPPED, BUDGET, DONE, UNTRAINED = "diverged", "stopped early", "out of time", "all epochs", "untrained"


@dataclass(frozen=True)
class Trained:
    """A trained model: the weights of its best epoch, and how it got there."""

    network: Network
    history: np.ndarray
    """Training and validation loss after each epoch, [epoch, 2]."""
    ended: str
    """`stopped early`, `all epochs`, `out of time`, `untrained`, or `diverged`: then the weights are the last good ones."""
    seconds: float


def build(model: WorldModelSettings, inputs: int, outputs: int, seed: int) -> Network:
    """An untrained network."""
    return NETWORKS[model.network](inputs, outputs, model, nnx.Rngs(seed))


class Trainer:
    """Trains one network on standardised transitions."""

    def __init__(
        self,
        model: WorldModelSettings,
        training: WorldModelTraining,
        data: dict[str, Transitions],
        seed: int,
        checkpoint: Path | None = None,
    ) -> None:
        """`data`: `training` and `validation`. `checkpoint`: written after every epoch; a run of the same kind resumes."""
        self._model, self._training, self._seed, self._checkpoint = model, training, seed, checkpoint
        self._data = {part: _arrays(transitions) for part, transitions in data.items()}
        inputs, outputs = (array.shape[1] for array in self._data["training"][:2])
        self._graph, parameters = nnx.split(build(model, inputs, outputs, seed))
        steps = max(1, len(self._data["training"][0]) // training.batch) * training.epochs
        self._optimiser = optax.adam(optax.cosine_decay_schedule(training.learning_rate, steps))
        self._state = (parameters, self._optimiser.init(cast(Any, parameters)), parameters)  # now, optimiser, best
        self._history: list[tuple[float, float]] = []
        self._seconds = 0.0

    def run(self) -> Trained:
        """Train to the end. A loss that is not finite ends it as `diverged`."""
        if not self._model.trained:
            return Trained(nnx.merge(self._graph, self._state[0]), np.zeros((0, 2)), UNTRAINED, 0.0)
        self._resume()
        epoch, validate = jax.jit(self._epoch(), donate_argnums=(0, 1)), jax.jit(self._validation())
        started, before = time.monotonic(), self._seconds
        ended = DONE
        while len(self._history) < self._training.epochs:
            if self._waited() >= self._training.patience:
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
            self._seconds = before + time.monotonic() - started
            self._keep()
        network = nnx.merge(self._graph, self._state[2])
        return Trained(network, np.array(self._history).reshape(-1, 2), ended, self._seconds)

    def _loss(self, parameters: nnx.State, sample: tuple, key: jax.Array) -> jax.Array:
        """The whole loss of one sample."""
        x, y, truth, zero = sample
        network = nnx.merge(self._graph, parameters)
        drawing, columns = jax.random.split(key)
        loss = prediction_loss(network, x, y, drawing) + self._model.mask_weight * network.penalty(x)
        if self._model.jacobian_loss is None:
            return loss
        chosen = random_columns(columns, len(x), self._model.jacobian_columns)
        return loss + self._model.jacobian_weight * jacobian_loss(self._model.jacobian_loss, network, x, truth, zero, chosen)

    def _mean_loss(self, parameters: nnx.State, batch: tuple, key: jax.Array) -> jax.Array:
        keys = jax.random.split(key, len(batch[0]))
        return jax.vmap(self._loss, in_axes=(None, 0, 0))(parameters, batch, keys).mean()

    def _epoch(self) -> Callable:
        size = self._training.batch

        def epoch(parameters: nnx.State, optimiser: Any, key: jax.Array, data: tuple) -> tuple:
            steps = len(data[0])
            count = max(1, steps // size)
            order = jax.random.permutation(key, steps)[: count * size].reshape(count, -1)

            def step(carry: tuple, batch: tuple) -> tuple[tuple, jax.Array]:
                parameters, optimiser = carry
                chosen, number = batch
                part = tuple(array[chosen] for array in data)
                loss, slope = jax.value_and_grad(self._mean_loss)(parameters, part, jax.random.fold_in(key, number))
                update, optimiser = self._optimiser.update(slope, optimiser)
                return (optax.apply_updates(parameters, update), optimiser), loss

            (parameters, optimiser), losses = jax.lax.scan(step, (parameters, optimiser), (order, jnp.arange(count)))
            return parameters, optimiser, losses.mean()

        return epoch

    def _validation(self) -> Callable:
        """The loss on the validation part, with the same draws in every epoch."""
        return lambda parameters, data: self._mean_loss(parameters, data, jax.random.key(0))

    def _waited(self) -> int:
        """Epochs since the best one."""
        losses = [validation for _, validation in self._history]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0

    def _identity(self) -> str:
        shapes = {part: [list(array.shape) for array in arrays] for part, arrays in self._data.items()}
        about = [self._model.model_dump(), self._training.model_dump(), self._seed, shapes]
        return json.dumps(about, sort_keys=True)

    def _keep(self) -> None:
        if self._checkpoint is None:
            return
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        tensors = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(self._state))}
        about = {"identity": self._identity(), "history": json.dumps(self._history), "seconds": str(self._seconds)}
        unfinished = self._checkpoint.with_name(f".{self._checkpoint.name}.{os.getpid()}.partial")
        try:
            unfinished.write_bytes(save(tensors, metadata=about))
            unfinished.replace(self._checkpoint)
        finally:
            unfinished.unlink(missing_ok=True)

    def _resume(self) -> None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        try:
            with safe_open(self._checkpoint, framework="numpy") as file:
                about = file.metadata() or {}
                if about.get("identity") != self._identity():
                    print(f"{self._checkpoint} is of another run: started anew", flush=True)
                    return
                leaves = [file.get_tensor(str(number)) for number in range(len(jax.tree.leaves(self._state)))]
        except (SafetensorError, OSError) as error:
            print(f"{self._checkpoint} cannot be read ({error}): started anew", flush=True)
            return
        self._state = jax.tree.unflatten(jax.tree.structure(self._state), map(jnp.asarray, leaves))
        self._history = [tuple(losses) for losses in json.loads(about["history"])]
        self._seconds = float(about["seconds"])
        print(f"{self._checkpoint}: resumed after {len(self._history)} epochs", flush=True)


def _arrays(transitions: Transitions) -> tuple[jax.Array, ...]:
    kept = (transitions.inputs, transitions.outputs, transitions.jacobian, transitions.zero)
    return tuple(jnp.asarray(array, jnp.float32) for array in kept)
