"""Intervals of statistics of sums over episodes, such as ratios: whole episodes are resampled within study seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import xarray as xr
from scipy import stats

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.resampling import episode_draws
from dynamic_sparsity.stores.schema import EPISODE

Statistic = Callable[[xr.Dataset], xr.Dataset]


def with_intervals(
    sums: Sequence[xr.Dataset], statistic: Statistic, resampling: ResamplingSettings, tested: Collection[str] = ()
) -> xr.Dataset:
    """`statistic` of the sums over all episodes, each of its variables with the ends of its interval (`_low`, `_high`).

    `sums`: one Dataset with the dim `episode` per study seed, all with the same variables. `statistic` maps their sums to
    numbers, and keeps a further dim `resample`. Infinite numbers are larger than all others, and NaNs are left out; an
    end is NaN where half of the resamples or more are NaN, or if no study seed has two episodes.

    For the variables in `tested`, which are single numbers, `_p_value` is two-sided, for the hypothesis that the number is
    0: from Student's t, with the bootstrap's standard error, freed of its bias for few episodes, and as many degrees of
    freedom as there are episodes less study seeds. It is NaN where the interval is, and if all episodes are equal but
    the number is not 0.
    """
    pooled = xr.concat([dataset.drop_vars(EPISODE, errors="ignore") for dataset in sums], dim=EPISODE).astype(float)
    sizes = [dataset.sizes[EPISODE] for dataset in sums]
    draws = [np.concatenate(draw) for draw in episode_draws(sizes, resampling.resamples, resampling.seed)]
    weights = xr.DataArray(np.array(draws, dtype=float), dims=("resample", EPISODE))
    estimate = statistic(pooled.sum(EPISODE))
    resampled = statistic(pooled.map(lambda array: xr.dot(weights, array, dim=EPISODE)))
    tail = (1 - resampling.confidence) / 2
    ends = {}
    for name, array in estimate.data_vars.items():
        values = resampled[name].transpose("resample", *array.dims).values
        bounds = _quantiles(values, (tail, 1 - tail)) if max(sizes) > 1 else np.full((2, *array.shape), np.nan)
        ends |= {f"{name}_{end}": array.copy(data=bound) for end, bound in zip(("low", "high"), bounds, strict=True)}
    p_values = {f"{name}_p_value": _p_value(float(estimate[name]), resampled[name].values, sizes) for name in tested}
    return estimate.assign({**ends, **p_values})


def ratio(numerator: xr.DataArray, denominator: xr.DataArray) -> xr.DataArray:
    """`numerator` / `denominator`; NaN where the denominator is 0."""
    return numerator / denominator.where(denominator > 0)


def _p_value(estimate: float, resampled: np.ndarray, sizes: Sequence[int]) -> float:
    """Two-sided p-value that `estimate` differs from 0 by chance; NaN if most of its resamples are NaN."""
    known = resampled[~np.isnan(resampled)]
    freedom = sum(sizes) - len(sizes)
    if not freedom or len(known) <= len(resampled) / 2 or np.isnan(estimate):
        return np.nan
    error = known.std() * np.sqrt(sum(sizes) / freedom)  # the bootstrap divides a variance by n instead of n - 1
    if error == 0:  # equal episodes are no evidence of a difference
        return 1.0 if estimate == 0 else np.nan
    return float(2 * stats.t.sf(abs(estimate) / error, freedom))


def _quantiles(values: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    """Quantiles over the first axis without its NaNs; NaN where half of the values or more are NaN."""
    flat = values.reshape(len(values), -1)
    is_missing = np.isnan(flat)
    bounds = np.full((2, flat.shape[1]), np.nan)
    whole = ~is_missing.any(0)
    bounds[:, whole] = np.quantile(flat[:, whole], levels, axis=0, method="inverted_cdf")
    for column in np.flatnonzero(~whole & (is_missing.mean(0) < 0.5)):
        known = flat[~is_missing[:, column], column]
        bounds[:, column] = np.quantile(known, levels, method="inverted_cdf")
    return bounds.reshape(2, *values.shape[1:])
