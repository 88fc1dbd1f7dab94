"""Bootstrap intervals that resample whole episodes within seeds: the steps of an episode are not independent."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings


def episode_draws(episodes: Sequence[int], resamples: int, seed: int) -> Iterator[list[np.ndarray]]:
    """Yields, for each resample, how often each episode is drawn: one array [episode] per study seed.

    `episodes`: the number of episodes of each study seed. `seed`: the bootstrap seed.
    """
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield [rng.multinomial(count, np.full(count, 1 / count)) for count in episodes]


def stratified_mean(values: Sequence[xr.DataArray], resamples: int, confidence: float, seed: int) -> xr.Dataset:
    """Mean of a per-episode quantity over all episodes of all study seeds, with a percentile bootstrap interval.

    `values`: one array with the dim `episode` per study seed; NaN values are left out. `seed`: the bootstrap seed.
    Returns `mean`, `low`, `high`; the interval is NaN unless a study seed has at least two episodes whose value is
    known.
    """
    sizes = [array.sizes["episode"] for array in values]
    most_known = xr.concat([array.notnull().sum("episode") for array in values], dim="seed").max("seed")
    stacked = xr.concat([array.drop_vars("episode", errors="ignore") for array in values], dim="episode")
    is_known = stacked.notnull()
    filled = stacked.fillna(0)
    mean = filled.sum("episode") / is_known.sum("episode").where(lambda count: count > 0)
    weights = xr.DataArray(
        np.array([np.concatenate(draw) for draw in episode_draws(sizes, resamples, seed)]), dims=("resample", "episode")
    )
    total = xr.dot(weights, is_known.astype(float), dim="episode")
    means = xr.dot(weights, filled, dim="episode") / total.where(total > 0)
    tail = (1 - confidence) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # such an interval is meant to be NaN
        low, high = (means.quantile(q, dim="resample", skipna=True).drop_vars("quantile") for q in (tail, 1 - tail))
    enough = most_known >= 2
    return xr.Dataset({"mean": mean, "low": low.where(enough), "high": high.where(enough)})


def with_intervals(values: Sequence[xr.Dataset], resampling: ResamplingSettings) -> xr.Dataset:
    """`stratified_mean` of every variable of `values`, Datasets with the dim `episode`, one per study seed.

    Each variable becomes its mean, with `_low` and `_high` for the ends of its interval.
    """
    means = {}
    for name in values[0].data_vars:
        estimate = stratified_mean(
            [dataset[name] for dataset in values], resampling.resamples, resampling.confidence, resampling.seed
        )
        means |= {name: estimate["mean"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    return xr.Dataset(means)
