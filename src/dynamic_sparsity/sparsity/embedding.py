"""t-SNE of transitions (s, a, s'), with the sparsity of each step (the paper's figure 4)."""

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
    """Embed every n-th step of all seeds' episodes, put end to end: variables along the dim `point`.

    `x`, `y`: the embedding of (s, a, s'), each variable standardised; `sparsity`: that of [J_s J_a] at the main threshold;
    `seed`, `episode`, `step`: where the point comes from; `sequence`: its place in the consecutive sequence, -1 if
    it is in none. The sequence is the stretch of the first episode of the first seed in which sparsity varies most.
    """
    first, length = _sequence(sparsities[0], settings.sequence_steps)
    steps = sum(int(data.length.sum()) for data in rollouts)
    apart = -(-steps // (settings.max_points - length))
    pieces, before, sequence = [], 0, range(first, first + length)
    for rollout, sparsity in zip(rollouts, sparsities, strict=True):
        for episode, episode_length in enumerate(rollout.length.values):
            taken = np.arange(-before % apart, episode_length, apart)
            pieces.append(_points(rollout, sparsity, episode, taken, sequence))
            before, sequence = before + int(episode_length), range(0)
    points = xr.concat(pieces, dim="point")
    perplexity = min(settings.perplexity, (points.sizes["point"] - 1) / 3)
    place = _tsne(points.transition.values, perplexity, settings.seed)
    result = points.drop_vars("transition").assign(x=("point", place[:, 0]), y=("point", place[:, 1]))
    return result.assign_attrs(perplexity=perplexity, every_nth_step=apart)


def _sequence(data: xr.Dataset, steps: int) -> tuple[int, int]:
    """First step and length of the stretch of the first episode whose sparsity has the largest variance."""
    length = int(data.length[0])
    steps = min(steps, length)
    series = data.sparsity.sel(block=ALL, threshold=data.attrs["threshold"])[0].values[:length]
    known = series[~np.isnan(series)]
    series = np.where(np.isnan(series), known.mean() if len(known) else 0, series)  # else a gap would look like a change
    variances = np.lib.stride_tricks.sliding_window_view(series, steps).var(axis=1)
    return int(variances.argmax()), steps


def _points(
    rollout: xr.Dataset, sparsity: xr.Dataset, episode: int, taken: Int[np.ndarray, " steps"], sequence: range
) -> xr.Dataset:
    """The steps `taken` of one episode, and those of the sequence."""
    taken = np.union1d(taken, np.asarray(sequence, int))
    here = rollout[list(_TRANSITION)].isel({EPISODE: episode, TIME: taken})
    features = np.concatenate([here[name].values for name in _TRANSITION], axis=1)
    values = sparsity.sparsity.sel(block=ALL, threshold=sparsity.attrs["threshold"])[episode].values[taken]
    return xr.Dataset(
        {
            "transition": (("point", "variable"), features),
            "sparsity": ("point", values),
            "seed": ("point", np.full(len(taken), rollout.attrs["seed"])),
            "episode": ("point", np.full(len(taken), episode)),
            "step": ("point", taken),
            "sequence": ("point", np.where(np.isin(taken, sequence), taken - sequence.start, -1)),
        }
    )


def _tsne(features: Float[np.ndarray, "points variables"], perplexity: float, seed: int) -> Float[np.ndarray, "points 2"]:
    """scikit-learn's Barnes-Hut t-SNE of standardised variables; on one thread, so that it repeats."""
    spread = features.std(axis=0)
    standardised = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(standardised)
