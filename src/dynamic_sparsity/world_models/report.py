"""One world model from stores to a Dataset: trained, then asked about the test episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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
from dynamic_sparsity.world_models.training import Trainer


def trained_and_evaluated(
    model: WorldModelSettings,
    settings: WorldModelsSettings,
    seeds: Mapping[str, Sequence[xr.Dataset]],
    tree: KinematicTree,
    seed: int,
    checkpoint: Path,
) -> xr.Dataset:
    """Train `model` on the stores of all seeds of a task and policy (`rollouts`, `jacobians`, `sparsity`).

    Of the test episodes (coordinate `episode`: its number over all seeds), in the units of the state: `jacobian` of the
    predicted next state, `mask` where the network has masks, `prediction`. `history` over `epoch` and `part`; `input_scale`,
    `output_scale`: standard deviations in training; `matched_threshold` over `basis`: below which as many entries of the
    validation episodes fall as are zero; `rollout_error` over `horizon`, of rollouts from
    every fifth step, in standard deviations of the state. The attribute `ended` says how the training did.

    What it takes to use the model: `weights`, in a row (`with_weights` puts them back); `input_mean`, `target_mean`,
    `target_scale` with `input_scale`, by which it is standardised; `split` over `data_episode`, the part of each episode.
    """
    change = settings.target == "change"
    data = Transitions.of_stores(seeds["rollouts"], seeds["jacobians"], seeds["sparsity"], change=change)
    truth = seeds["sparsity"][0]
    split = split_episodes(data.policies, settings.validation, settings.test, seed)
    learnt = {part: data.part(split, part) for part in ("training", "validation")}
    if unknown := int((~data.known).sum()):
        print(f"{unknown} of {len(data.known)} steps have a Jacobian that is not finite: neither learnt from nor scored")
    standardise = Standardiser.of(learnt["training"], list(truth[IN].values), list(truth[OUT].values))
    parts = {part: standardise(transitions) for part, transitions in learnt.items()}
    trained = Trainer(model, settings.training, parts, tree, seed, checkpoint).run()
    evaluator = evaluation.Evaluator(trained.network, standardise, change=change)
    episodes = [_of_episode(evaluator, data.of_episodes([number]), settings.horizons) for number in split["test"]]
    steps = max(episode.sizes[TIME] for episode in episodes)
    result = xr.concat([_padded(episode, steps) for episode in episodes], dim=EPISODE)
    output_scale = _next_state_scale(standardise, learnt["training"], change=change)
    validation = learnt["validation"]
    raw = np.abs(evaluator.jacobians(validation))
    scaled = raw * standardise.input_scale / output_scale[:, None]
    return (
        result.assign(
            history=(("epoch", "part"), trained.history),
            input_scale=(IN, standardise.input_scale),
            output_scale=(OUT, output_scale),
            matched_threshold=("basis", [matched_threshold(found, validation.zero) for found in (scaled, raw)]),
            seconds=((), trained.seconds),
            input_mean=(IN, standardise.input_mean),
            target_mean=(OUT, standardise.output_mean),
            target_scale=(OUT, standardise.output_scale),
            weights=("weight", flat_weights(trained.network)),
            split=("data_episode", labels(_parts_of_episodes(split))),
        )
        .assign_coords(
            {
                EPISODE: split["test"],
                OUT: labels(truth[OUT].values),
                IN: labels(truth[IN].values),
                "horizon": settings.horizons,
                "part": labels(["training", "validation"]),
                "basis": labels(["scaled", "raw"]),
            }
        )
        .assign_attrs(ended=trained.ended, zero_threshold=settings.zero_threshold)
    )


def flat_weights(network: Network) -> np.ndarray:
    """All weights in a row, in the order of the names of their places."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param))]).astype(np.float32)


def with_weights(network: Network, weights: np.ndarray) -> Network:
    """A network of the same kind and size (`training.build`) with `flat_weights`; raises ValueError for another number."""
    graph, parameters, others = nnx.split(network, nnx.Param, ...)
    leaves, structure = jax.tree.flatten(parameters)
    sizes = [leaf.size for leaf in leaves]
    if sum(sizes) != len(weights):
        raise ValueError(f"{len(weights)} weights for a network that has {sum(sizes)}")
    parts = np.split(np.asarray(weights), np.cumsum(sizes)[:-1])
    placed = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return nnx.merge(graph, jax.tree.unflatten(structure, map(jnp.asarray, placed)), others)


def _parts_of_episodes(split: Mapping[str, Sequence[int]]) -> list[str]:
    part_of = {number: part for part, numbers in split.items() for number in numbers}
    return [part_of[number] for number in sorted(part_of)]


def _of_episode(evaluator: evaluation.Evaluator, episode: Transitions, horizons: Sequence[int]) -> xr.Dataset:
    arrays = {
        "jacobian": ((TIME, OUT, IN), evaluator.jacobians(episode).astype(np.float32)),
        "prediction": ((TIME, OUT), evaluator.predictions(episode).astype(np.float32)),
        "rollout_error": (("horizon",), evaluator.rollout_errors(episode, horizons)),
        "length": ((), np.int32(len(episode.inputs))),
    }
    mask = evaluator.masks(episode)
    return xr.Dataset(arrays if mask is None else {**arrays, "mask": ((TIME, OUT, IN), mask)})


def _padded(episode: xr.Dataset, steps: int) -> xr.Dataset:
    return xr.Dataset(
        {
            name: (array.dims, padded(array.values, steps) if TIME in array.dims else array.values)
            for name, array in episode.items()
        }
    )


def _next_state_scale(standardise: Standardiser, training: Transitions, *, change: bool) -> np.ndarray:
    """Standard deviation of the next state, which scaled Jacobians are in units of."""
    if not change:
        return standardise.output_scale
    return (training.outputs + training.inputs[:, : training.outputs.shape[1]]).std(axis=0)
