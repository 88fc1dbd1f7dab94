"""Intervals by resampling whole episodes within seeds: steps and entries of an episode are not independent."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings


def episode_draws(episodes: Sequence[int], resamples: int, seed: int) -> Iterator[list[np.ndarray]]:
    """For each resample, how often each episode of each seed is drawn; `episodes` counts them per seed."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield [rng.multinomial(count, np.full(count, 1 / count)) for count in episodes]


def stratified_mean(values: Sequence[xr.DataArray], resamples: int, confidence: float, seed: int) -> xr.Dataset:
    """Mean of a per-episode quantity over all episodes of all seeds, with a percentile bootstrap interval.

    `values`: one array per seed with the dim `episode`; NaN episodes are left out. Returns `mean`, `low`, `high`;
    the interval is NaN where no seed has two known episodes to resample.
    """
    sizes = [array.sizes["episode"] for array in values]
    known_in_a_seed = xr.concat([array.notnull().sum("episode") for array in values], dim="seed").max("seed")
    stacked = xr.concat([array.drop_vars("episode", errors="ignore") for array in values], dim="episode")
    known = stacked.notnull()
    filled = stacked.fillna(0)
    mean = filled.sum("episode") / known.sum("episode").where(lambda count: count > 0)
    weights = xr.DataArray(
        np.array([np.concatenate(draw) for draw in episode_draws(sizes, resamples, seed)]), dims=("resample", "episode")
    )
    total = xr.dot(weights, known.astype(float), dim="episode")
    means = xr.dot(weights, filled, dim="episode") / total.where(total > 0)
    tail = (1 - confidence) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # an interval that is NaN is what is meant
        low, high = (means.quantile(q, dim="resample", skipna=True).drop_vars("quantile") for q in (tail, 1 - tail))
    enough = known_in_a_seed >= 2
    return xr.Dataset({"mean": mean, "low": low.where(enough), "high": high.where(enough)})


def with_intervals(values: Sequence[xr.Dataset], resampling: ResamplingSettings) -> xr.Dataset:
    """`stratified_mean` of every variable of per-episode Datasets, one per seed: its mean, and `_low` and `_high`."""
    found = {}
    for name in values[0].data_vars:
        estimate = stratified_mean(
            [seed[name] for seed in values], resampling.resamples, resampling.confidence, resampling.seed
        )
        found |= {name: estimate["mean"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    return xr.Dataset(found)
