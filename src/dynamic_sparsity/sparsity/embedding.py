"""t-SNE of transitions (s, a, s'), with the sparsity of each step (paper, figure 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from dynamic_sparsity.definitions.blocks import ALL
from dynamic_sparsity.settings.embedding import EmbeddingSettings
from dynamic_sparsity.stores.schema import EPISODE, TIME

_TRANSITION = ("qpos", "qvel", "act", "ctrl", "next_qpos", "next_qvel", "next_act")


def embed(rollouts: Sequence[xr.Dataset], sparsities: Sequence[xr.Dataset], settings: EmbeddingSettings) -> xr.Dataset:
    """Embed every n-th step of the episodes of all study seeds, laid end to end; n keeps within `settings.max_points`.

    Returns variables along the dim `point`. `x`, `y`: the embedding of (s, a, s'), each variable standardised.
    `sparsity`: the sparsity of [J_s J_a] at the main threshold. `seed`, `episode`, `step`: the step that the point
    shows. `sequence`: the point's index in a stretch of consecutive steps, -1 for points outside it. That stretch lies
    in the first episode of the first seed, where the variance of sparsity is largest. Attributes: `perplexity`,
    `every_nth_step`.
    """
    first, length = _sequence(sparsities[0], settings.sequence_steps)
    steps = sum(int(rollout.length.sum()) for rollout in rollouts)
    spacing = -(-steps // (settings.max_points - length))
    pieces, steps_before, sequence = [], 0, range(first, first + length)
    for rollout, sparsity in zip(rollouts, sparsities, strict=True):
        for episode, episode_length in enumerate(rollout.length.values):
            sampled = np.arange(-steps_before % spacing, episode_length, spacing)
            pieces.append(_points(rollout, sparsity, episode, sampled, sequence))
            steps_before, sequence = steps_before + int(episode_length), range(0)
    points = xr.concat(pieces, dim="point")
    perplexity = min(settings.perplexity, (points.sizes["point"] - 1) / 3)
    coordinates = _tsne(points.transition.values, perplexity, settings.seed)
    result = points.drop_vars("transition").assign(x=("point", coordinates[:, 0]), y=("point", coordinates[:, 1]))
    return result.assign_attrs(perplexity=perplexity, every_nth_step=spacing)


def _sequence(sparsity: xr.Dataset, steps: int) -> tuple[int, int]:
    """First step and length of the stretch of `steps` steps in the first episode where sparsity varies most."""
    length = int(sparsity.length[0])
    steps = min(steps, length)
    series = sparsity.sparsity.sel(block=ALL, threshold=sparsity.attrs["threshold"])[0].values[:length]
    known_values = series[~np.isnan(series)]
    filler = known_values.mean() if len(known_values) else 0  # a NaN must not count as a change
    series = np.where(np.isnan(series), filler, series)
    variances = np.lib.stride_tricks.sliding_window_view(series, steps).var(axis=1)
    return int(variances.argmax()), steps


def _points(
    rollout: xr.Dataset, sparsity: xr.Dataset, episode: int, steps: Int[np.ndarray, " steps"], sequence: range
) -> xr.Dataset:
    """The sampled steps of one episode and the steps of `sequence`, as points not yet embedded."""
    steps = np.union1d(steps, np.asarray(sequence, int))
    transitions = rollout[list(_TRANSITION)].isel({EPISODE: episode, TIME: steps})
    features = np.concatenate([transitions[name].values for name in _TRANSITION], axis=1)
    values = sparsity.sparsity.sel(block=ALL, threshold=sparsity.attrs["threshold"])[episode].values[steps]
    return xr.Dataset(
        {
            "transition": (("point", "variable"), features),
            "sparsity": ("point", values),
            "seed": ("point", np.full(len(steps), rollout.attrs["seed"])),
            "episode": ("point", np.full(len(steps), episode)),
            "step": ("point", steps),
            "sequence": ("point", np.where(np.isin(steps, sequence), steps - sequence.start, -1)),
        }
    )


def _tsne(features: Float[np.ndarray, "points variables"], perplexity: float, seed: int) -> Float[np.ndarray, "points 2"]:
    """scikit-learn's Barnes-Hut t-SNE of standardised variables, on one thread so that a rerun gives equal points."""
    spread = features.std(axis=0)
    standardised = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(standardised)
