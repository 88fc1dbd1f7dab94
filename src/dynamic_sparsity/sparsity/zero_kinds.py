"""Three kinds of zeros: those of entries that are always zero, those that constraints break, and all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.resampling import episode_draws
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT, labels

KINDS = ("always", "broken", "otherwise")
"""Kinds of entries: zero in every step; zero in every free step but not in every step; zero in some free steps only."""


def kind_shares(
    seeds: Sequence[xr.Dataset], always: xr.DataArray, broken: xr.DataArray, threshold: float, resampling: ResamplingSettings
) -> dict[str, xr.DataArray]:
    """How the zeros of all steps are shared out among the kinds of entries (dim `zero_kind`), at the main threshold.

    `zero_kind_share`: zeros of the entries of a kind / zeros of all entries, over all finite values; NaN without zeros.
    `_low` and `_high`: ends of a percentile interval from resampling episodes within study seeds; NaN unless a study
    seed has two episodes with zeros. Which entry is of which kind is taken from all episodes in every resample.
    """
    in_kind = {"always": always, "broken": broken, "otherwise": ~always & ~broken}
    counts = [_zeros_by_kind(seed.zero_count.sel(threshold=threshold, drop=True), in_kind) for seed in seeds]
    per_episode = np.concatenate(counts)
    draws = episode_draws([len(count) for count in counts], resampling.resamples, resampling.seed)
    resampled = _shares(np.stack([np.concatenate(draw) @ per_episode for draw in draws]))
    tail = (1 - resampling.confidence) / 2
    enough = max((count.sum(1) > 0).sum() for count in counts) >= 2
    shares = {
        "": _shares(per_episode.sum(0)),
        "_low": _quantile(resampled, tail) if enough else np.full(len(KINDS), np.nan),
        "_high": _quantile(resampled, 1 - tail) if enough else np.full(len(KINDS), np.nan),
    }
    coords = {"zero_kind": labels(KINDS)}
    return {f"zero_kind_share{end}": xr.DataArray(array, dims="zero_kind", coords=coords) for end, array in shares.items()}


def _zeros_by_kind(count: xr.DataArray, in_kind: dict[str, xr.DataArray]) -> np.ndarray:
    """Number of zeros [episode, kind] in the entries of each kind."""
    return np.stack([count.where(in_kind[kind], 0).sum((OUT, IN)).transpose(EPISODE).values for kind in KINDS], axis=1)


def _shares(zeros: np.ndarray) -> np.ndarray:
    """Each kind's part of the zeros, whose last axis is the kind; NaN where there are none."""
    total = zeros.sum(-1, keepdims=True)
    return np.divide(zeros, total, out=np.full(zeros.shape, np.nan), where=total > 0)


def _quantile(resampled: np.ndarray, quantile: float) -> np.ndarray:
    """The quantile over resamples, of those that have zeros."""
    known = resampled[~np.isnan(resampled).any(axis=1)]
    return np.quantile(known, quantile, axis=0)
