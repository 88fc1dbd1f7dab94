"""One world model from stores to a Dataset: trained, then asked about the test episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from dynamic_sparsity.settings import WorldModelSettings, WorldModelsSettings
from dynamic_sparsity.stores import EPISODE, IN, OUT, TIME, labels, padded
from dynamic_sparsity.world_models import evaluation, scores
from dynamic_sparsity.world_models.data import Standardiser, Transitions, split_episodes
from dynamic_sparsity.world_models.training import Trained, Trainer


def trained_and_evaluated(
    model: WorldModelSettings,
    settings: WorldModelsSettings,
    seeds: Mapping[str, Sequence[xr.Dataset]],
    seed: int,
    checkpoint: Path,
) -> xr.Dataset:
    """Train `model` on the stores of all seeds of a task and policy (`rollouts`, `jacobians`, `sparsity`).

    Of the test episodes (coordinate `episode`: its number over all seeds), in the units of the state: `jacobian` of the
    predicted next state, `mask` where the network has masks, `prediction`. `history` over `epoch` and `part`; `input_scale`,
    `output_scale`: standard deviations in training; `matched_threshold` over `basis`: below which as many entries of the
    validation episodes fall as are zero; `rollout_error` over `horizon`, in standard deviations of the state. The
    attribute `ended` says how the training did.
    """
    change = settings.target == "change"
    data = Transitions.of_stores(seeds["rollouts"], seeds["jacobians"], seeds["sparsity"], change=change)
    truth = seeds["sparsity"][0]
    split = split_episodes(int(data.episode.max()) + 1, settings.validation, settings.test, seed)
    standardise = Standardiser.of(data.of_episodes(split["training"]), list(truth[IN].values), list(truth[OUT].values))
    parts = {part: standardise(data.of_episodes(split[part])) for part in ("training", "validation")}
    trained = Trainer(model, settings.training, parts, seed, checkpoint).run()
    episodes = [_of_episode(trained, standardise, data.of_episodes([number]), settings) for number in split["test"]]
    steps = max(episode.sizes[TIME] for episode in episodes)
    result = xr.concat([_padded(episode, steps) for episode in episodes], dim=EPISODE)
    thresholds = _matched_thresholds(trained, standardise, parts["validation"], change=change)
    return (
        result.assign(
            history=(("epoch", "part"), trained.history),
            input_scale=(IN, standardise.input_scale),
            output_scale=(OUT, _next_state_scale(standardise, data, split["training"], change=change)),
            matched_threshold=("basis", thresholds),
            seconds=((), trained.seconds),
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


def next_state_jacobian(trained: Trained, standardise: Standardiser, inputs: np.ndarray, *, change: bool) -> np.ndarray:
    """The model's Jacobian of the next state in its own units, at standardised inputs."""
    matrix = evaluation.jacobians(trained.network, inputs) * standardise.output_scale[:, None] / standardise.input_scale
    return matrix + np.eye(*matrix.shape[1:]) if change else matrix


def _of_episode(
    trained: Trained, standardise: Standardiser, episode: Transitions, settings: WorldModelsSettings
) -> xr.Dataset:
    change = settings.target == "change"
    inputs = standardise(episode).inputs
    moved = evaluation.predictions(trained.network, inputs) * standardise.output_scale + standardise.output_mean
    states = episode.outputs.shape[1]
    matrix = next_state_jacobian(trained, standardise, inputs, change=change)
    errors = evaluation.rollout_errors(trained.network, standardise, episode, settings.horizons, change=change)
    arrays = {
        "jacobian": ((TIME, OUT, IN), matrix.astype(np.float32)),
        "prediction": ((TIME, OUT), (moved + episode.inputs[:, :states] if change else moved).astype(np.float32)),
        "rollout_error": (("horizon",), errors),
        "length": ((), np.int32(len(inputs))),
    }
    mask = evaluation.masks(trained.network, inputs)
    return xr.Dataset(arrays if mask is None else {**arrays, "mask": ((TIME, OUT, IN), mask)})


def _padded(episode: xr.Dataset, steps: int) -> xr.Dataset:
    return xr.Dataset(
        {
            name: (array.dims, padded(array.values, steps) if TIME in array.dims else array.values)
            for name, array in episode.items()
        }
    )


def _matched_thresholds(
    trained: Trained, standardise: Standardiser, validation: Transitions, *, change: bool
) -> list[float]:
    raw = np.abs(next_state_jacobian(trained, standardise, validation.inputs, change=change))
    return [
        scores.matched_threshold(magnitude, validation.zero)
        for magnitude in (raw * standardise.input_scale / standardise.output_scale[:, None], raw)
    ]


def _next_state_scale(standardise: Standardiser, data: Transitions, training: Sequence[int], *, change: bool) -> np.ndarray:
    """Standard deviation of the next state, which scaled Jacobians are in units of."""
    if not change:
        return standardise.output_scale
    chosen = data.of_episodes(training)
    return (chosen.outputs + chosen.inputs[:, : chosen.outputs.shape[1]]).std(axis=0)
