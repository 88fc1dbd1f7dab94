"""Survival curves of durations: Kaplan-Meier estimates with intervals, and the paper's convention for comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from dynamic_sparsity.sparsity.resampling import episode_draws


def kaplan_meier(ended: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """P(duration > t) for t = 1 … len(ended) control steps: the product-limit estimate of Kaplan and Meier (1958).

    `ended` and `cut`: counts [duration] of runs that ended and of runs that were cut (right-censored).
    `scipy.stats.ecdf` computes it. Beyond the longest observed run the curve is NaN unless it has reached 0; NaN
    everywhere without runs.
    """
    lengths = np.arange(1, len(ended) + 1)
    sample = stats.CensoredData(
        uncensored=np.repeat(lengths, ended).astype(float), right=np.repeat(lengths, cut).astype(float)
    )
    if not len(sample):
        return np.full(len(ended), np.nan)
    curve = stats.ecdf(sample).sf.evaluate(lengths.astype(float))
    longest = lengths[np.flatnonzero(ended + cut)[-1]]
    return np.where((lengths > longest) & (curve > 0), np.nan, curve)


def product_limit(ended: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """`kaplan_meier` along the last axis, in time that does not grow with the number of runs.

    S(t) = product over u <= t of (1 - ended[u] / at_risk[u]). A bootstrap needs thousands of such curves.
    """
    at_risk = np.cumsum((ended + cut)[..., ::-1], axis=-1)[..., ::-1]
    hazard = np.divide(ended, at_risk, out=np.zeros(ended.shape), where=at_risk > 0)
    curve = np.cumprod(1 - hazard, axis=-1)
    has_runs = at_risk[..., :1] > 0
    return np.where(has_runs & ((at_risk > 0) | (curve == 0)), curve, np.nan)


def summarise(counts: Sequence[xr.Dataset], resamples: int, confidence: float, seed: int) -> xr.Dataset:
    """Survival curves of the durations of one task and policy, for each `value` (zero, non-zero).

    `counts`: `durations.counts_of` of each study seed. `seed`: the bootstrap seed. Durations are in control steps.

    - `survival` over `duration`, with `survival_low` and `survival_high`: percentiles over the resamples in which the
      curve is known at that duration, NaN unless that is most of them;
    - `median`: the first duration at which survival is at most 1/2, NaN if there is none. `median_low`, `median_high`:
      percentiles over the resamples, NaN for an end that falls on resamples whose curve never reaches 1/2;
    - `restricted_mean`: the area under the curve up to the last duration at which it is known;
    - `paper_count` over `duration`, and `paper_mean`: counts and mean duration by the paper's convention (section 5.3);
    - `ended_runs`, `cut_runs`, `unseen_start_runs`, `spanning_runs`: how many runs are of each class
      (`count_by_length`); `spanning_steps` and `all_steps`: the total length of the spanning runs and of all runs.
    """
    pooled = xr.concat(counts, dim="episode").sum("episode")
    curves = xr.apply_ufunc(
        kaplan_meier,
        pooled.ended,
        pooled.cut,
        input_core_dims=[["duration"], ["duration"]],
        output_core_dims=[["duration"]],
        vectorize=True,
    )
    low, high, median_low, median_high = _intervals(counts, resamples, confidence, seed)
    return xr.Dataset(
        {
            "survival": curves,
            "survival_low": low,
            "survival_high": high,
            "median": _median(curves),
            "median_low": median_low,
            "median_high": median_high,
            "restricted_mean": _restricted_mean(curves),
            **_totals(pooled),
        }
    )


def _totals(pooled: xr.Dataset) -> dict[str, xr.DataArray]:
    """The paper's counts and mean duration, how many runs each class has, and how many steps they span."""
    classes = ("ended", "cut", "unseen_start", "spanning")
    length = pooled.duration
    runs = pooled.paper.sum("duration")
    return {
        "paper_count": pooled.paper,
        "paper_mean": (pooled.paper * length).sum("duration") / runs.where(runs > 0),
        **{f"{name}_runs": pooled[name].sum("duration") for name in classes},
        "spanning_steps": (pooled.spanning * length).sum("duration"),
        "all_steps": sum((pooled[name] * length).sum("duration") for name in classes),
    }


def _intervals(counts: Sequence[xr.Dataset], resamples: int, confidence: float, seed: int) -> tuple[xr.DataArray, ...]:
    """Low and high ends, over resamples of episodes, of the curve at every duration and of its median."""
    template = counts[0].ended.isel(episode=0, drop=True).astype(float)
    of_median = template.isel(duration=0, drop=True)
    if max(seed_counts.sizes["episode"] for seed_counts in counts) < 2:
        return template * np.nan, template * np.nan, of_median * np.nan, of_median * np.nan
    curves: dict[bytes, np.ndarray] = {}  # few episodes give few distinct resamples
    order = []
    for draw in episode_draws([seed_counts.sizes["episode"] for seed_counts in counts], resamples, seed):
        key = np.concatenate(draw).tobytes()
        order.append(key)
        if key not in curves:
            ended = sum(np.einsum("e,evd->vd", w, c.ended.values) for w, c in zip(draw, counts, strict=True))
            cut = sum(np.einsum("e,evd->vd", w, c.cut.values) for w, c in zip(draw, counts, strict=True))
            curves[key] = product_limit(ended, cut)
    tail = (1 - confidence) / 2
    levels = (tail, 1 - tail)
    bounds = _quantiles(np.stack([curves[key] for key in order]), levels)
    medians = {key: _medians(curve, template.duration.values) for key, curve in curves.items()}
    ends = np.quantile(np.stack([medians[key] for key in order]), levels, axis=0, method="inverted_cdf")
    curve_bounds = [template.copy(data=bound) for bound in bounds]
    return (*curve_bounds, *(of_median.copy(data=np.where(np.isinf(end), np.nan, end)) for end in ends))


def _medians(curve: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """First duration at which each curve (last axis) is at most 1/2; infinite where there is none."""
    return np.where(curve <= 0.5, duration, np.inf).min(axis=-1)


def _quantiles(curves: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    """Quantiles over the first axis without its NaNs; NaN where half of the resamples or more are NaN."""
    mostly_known = np.isnan(curves).mean(0) < 0.5
    bounds = np.full((2, *curves.shape[1:]), np.nan)
    bounds[:, mostly_known] = np.nanquantile(curves[:, mostly_known], levels, axis=0)
    return bounds


def _median(survival: xr.DataArray) -> xr.DataArray:
    """First duration at which survival is at most 1/2; NaN where there is none."""
    reached = survival <= 0.5
    return survival.duration.where(reached).min("duration")


def _restricted_mean(survival: xr.DataArray) -> xr.DataArray:
    """Area under the step curve up to the last duration at which it is known; the curve is 1 before duration 1."""
    is_known = survival.notnull()
    last = survival.duration.where(is_known).max("duration")
    return (1 + survival.where(survival.duration < last, 0).sum("duration")).where(is_known.any("duration"))
