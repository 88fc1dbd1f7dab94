"""Train one world model on stores, and report its predictions for the test episodes as a Dataset.

Predictions, in the units of the state; the coordinate `episode` is the episode's number, counted over the stores of all
study seeds:

- `jacobian` of the predicted next state; `mask`, for networks with masks; `prediction`, the next state.
- `rollout_error` over `horizon`: root mean squared error of rollouts from every fifth step, in standard deviations of
  the state.

Training:

- `history` over `epoch` and `part`: the losses; `seconds`; the attribute `ended` says how training ended.
- `input_scale`, `output_scale`: standard deviations of the inputs and of the next state in training.
- `matched_threshold` over `basis`: as many entries of the validation episodes lie below it as are zero.

What it takes to use the model:

- `weights` in one row (`with_weights` puts them back into a network).
- `input_mean`, `target_mean`, `target_scale` and, again, `input_scale`, by which inputs and targets are standardised.
- `split` over `data_episode`: the part that each episode belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx

from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelsSettings
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT, TIME, labels, padded
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models import evaluation
from dynamic_sparsity.world_models.data import Standardiser, Transitions, split_episodes
from dynamic_sparsity.world_models.networks import Network
from dynamic_sparsity.world_models.thresholds import matched_threshold
from dynamic_sparsity.world_models.training import Trained, Trainer


def trained_and_evaluated(
    model: WorldModelSettings,
    settings: WorldModelsSettings,
    seeds: Mapping[str, Sequence[xr.Dataset]],
    tree: KinematicTree,
    seed: int,
    checkpoint: Path,
) -> xr.Dataset:
    """Train `model` on the stores of one task, and return the variables that the module's docstring lists.

    `seeds` holds the stores of all study seeds, by kind: `rollouts`, `jacobians`, `sparsity`. `seed` is the training
    seed. `checkpoint` is the file from which an interrupted training resumes.

    Raises UserError if the stores cannot be used (`Transitions.of_stores`, `Transitions.part`, `Standardiser.of`).
    """
    change = settings.target == "change"
    data = Transitions.of_stores(seeds["rollouts"], seeds["jacobians"], seeds["sparsity"], change=change)
    labelled = seeds["sparsity"][0]
    split = split_episodes(data.policies, settings.validation, settings.test, seed)
    learnt = {part: data.part(split, part) for part in ("training", "validation")}
    if unknown := int((~data.known).sum()):
        print(f"{unknown} of {len(data.known)} steps have a Jacobian that is not finite: left out of training and scores")
    standardiser = Standardiser.of(learnt["training"], list(labelled[IN].values), list(labelled[OUT].values))
    standardised = {part: standardiser(transitions) for part, transitions in learnt.items()}
    trained = Trainer(model, settings.training, standardised, tree, seed, checkpoint).run()
    evaluator = evaluation.Evaluator(trained.network, standardiser, change=change)
    return (
        _predictions(evaluator, data, split["test"], settings.horizons)
        .assign(_facts_of_training(trained, evaluator, standardiser, learnt, change=change))
        .assign(split=("data_episode", labels(_parts_of_episodes(split))))
        .assign_coords({EPISODE: split["test"], OUT: labels(labelled[OUT].values), IN: labels(labelled[IN].values)})
        .assign_coords(horizon=settings.horizons, part=labels(["training", "validation"]), basis=labels(["scaled", "raw"]))
        .assign_attrs(ended=trained.ended, zero_threshold=settings.zero_threshold)
    )


def _predictions(
    evaluator: evaluation.Evaluator, data: Transitions, episodes: Sequence[int], horizons: Sequence[int]
) -> xr.Dataset:
    """Predictions for some episodes, padded to the longest of them."""
    predicted = [_of_episode(evaluator, data.of_episodes([number]), horizons) for number in episodes]
    steps = max(episode.sizes[TIME] for episode in predicted)
    return xr.concat([_padded(episode, steps) for episode in predicted], dim=EPISODE)


def _facts_of_training(
    trained: Trained,
    evaluator: evaluation.Evaluator,
    standardiser: Standardiser,
    learnt: Mapping[str, Transitions],
    *,
    change: bool,
) -> dict[str, tuple[Any, Any]]:
    """Losses, scales, thresholds and weights of a trained model, as variables of a Dataset."""
    output_scale = _next_state_scale(standardiser, learnt["training"], change=change)
    validation = learnt["validation"]
    raw = np.abs(evaluator.jacobians(validation))
    scaled = raw * standardiser.input_scale / output_scale[:, None]
    return {
        "history": (("epoch", "part"), trained.history),
        "input_scale": (IN, standardiser.input_scale),
        "output_scale": (OUT, output_scale),
        "matched_threshold": ("basis", [matched_threshold(magnitude, validation.zero) for magnitude in (scaled, raw)]),
        "seconds": ((), trained.seconds),
        "input_mean": (IN, standardiser.input_mean),
        "target_mean": (OUT, standardiser.output_mean),
        "target_scale": (OUT, standardiser.output_scale),
        "weights": ("weight", flat_weights(trained.network)),
    }


def flat_weights(network: Network) -> np.ndarray:
    """All weights of a network in one row, ordered by the names of their parameters."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))]).astype(np.float32)


def with_weights(network: Network, weights: np.ndarray) -> Network:
    """`network` with the weights of another network of the same kind and size (`flat_weights`).

    Raises ValueError if the number of weights differs.
    """
    graph, parameters, other_state = nnx.split(network, nnx.Param, ...)
    leaves, structure = jax.tree.flatten(parameters)
    sizes = [leaf.size for leaf in leaves]
    if sum(sizes) != len(weights):
        raise ValueError(f"{len(weights)} weights for a network that has {sum(sizes)}")
    parts = np.split(np.asarray(weights), np.cumsum(sizes)[:-1])
    placed = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return nnx.merge(graph, jax.tree.unflatten(structure, map(jnp.asarray, placed)), other_state)


def _parts_of_episodes(split: Mapping[str, Sequence[int]]) -> list[str]:
    """Name of the part that each episode belongs to, by episode number."""
    part_of = {number: part for part, numbers in split.items() for number in numbers}
    return [part_of[number] for number in sorted(part_of)]


def _of_episode(evaluator: evaluation.Evaluator, episode: Transitions, horizons: Sequence[int]) -> xr.Dataset:
    """Predictions for one episode."""
    arrays = {
        "jacobian": ((TIME, OUT, IN), evaluator.jacobians(episode).astype(np.float32)),
        "prediction": ((TIME, OUT), evaluator.predictions(episode).astype(np.float32)),
        "rollout_error": (("horizon",), evaluator.rollout_errors(episode, horizons)),
        "length": ((), np.int32(len(episode.inputs))),
    }
    mask = evaluator.masks(episode)
    return xr.Dataset(arrays if mask is None else {**arrays, "mask": ((TIME, OUT, IN), mask)})


def _padded(episode: xr.Dataset, steps: int) -> xr.Dataset:
    """An episode whose variables over time are padded to `steps`."""
    return xr.Dataset(
        {
            name: (array.dims, padded(array.values, steps) if TIME in array.dims else array.values)
            for name, array in episode.items()
        }
    )


def _next_state_scale(standardiser: Standardiser, training: Transitions, *, change: bool) -> np.ndarray:
    """Standard deviations of the next state in training, by which the outputs of scaled Jacobians are divided."""
    if not change:
        return standardiser.output_scale
    return (training.outputs + training.inputs[:, : training.outputs.shape[1]]).std(axis=0)
