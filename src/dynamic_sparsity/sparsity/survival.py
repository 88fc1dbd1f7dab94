"""Survival curves of durations: Kaplan-Meier with intervals, beside the paper's convention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from dynamic_sparsity.sparsity.resampling import episode_draws


def kaplan_meier(ended: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """P(duration > t) for t = 1 … len(ended), from counts of runs by length: that ended, and that were cut.

    The product-limit estimate of Kaplan and Meier (1958), by `scipy.stats.ecdf`; beyond the longest run that was
    seen it is unknown (NaN) unless the curve has reached 0. NaN everywhere when there are no runs.
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
    """The same as `kaplan_meier` along the last axis, in time that does not grow with the number of runs.

    S(t) = product over u <= t of (1 - ended[u] / at_risk[u]); for the thousands of curves of a bootstrap.
    """
    at_risk = np.cumsum((ended + cut)[..., ::-1], axis=-1)[..., ::-1]
    hazard = np.divide(ended, at_risk, out=np.zeros(ended.shape), where=at_risk > 0)
    curve = np.cumprod(1 - hazard, axis=-1)
    seen = at_risk[..., :1] > 0
    return np.where(seen & ((at_risk > 0) | (curve == 0)), curve, np.nan)


def summarise(counts: Sequence[xr.Dataset], resamples: int, confidence: float, seed: int) -> xr.Dataset:
    """Durations of one task and policy from the counts of each seed's episodes (`durations.counts_of`).

    For each `value` (zero, non-zero): `survival` over `duration` with `survival_low` and `survival_high` (percentiles over
    those resamples of episodes that know the curve there, where most of them do), `median` (first duration at which
    survival is at most 1/2; NaN if it never is) with `median_low` and `median_high` (percentiles over the resamples, NaN
    for an end at which the median is not reached or nothing ended), `restricted_mean` (area under the curve up to the last
    duration at which it is known); beside it the paper's `paper_count` by duration and `paper_mean`, and the numbers of
    runs that each convention leaves out.
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
    length = pooled.duration
    runs = pooled.paper.sum("duration")
    return xr.Dataset(
        {
            "survival": curves,
            "survival_low": low,
            "survival_high": high,
            "median": _median(curves),
            "median_low": median_low,
            "median_high": median_high,
            "restricted_mean": _restricted_mean(curves),
            "paper_count": pooled.paper,
            "paper_mean": (pooled.paper * length).sum("duration") / runs.where(runs > 0),
            **{f"{name}_runs": pooled[name].sum("duration") for name in ("ended", "cut", "unseen_start", "spanning")},
            "spanning_steps": (pooled.spanning * length).sum("duration"),
            "all_steps": sum((pooled[n] * length).sum("duration") for n in ("ended", "cut", "unseen_start", "spanning")),
        }
    )


def _intervals(counts: Sequence[xr.Dataset], resamples: int, confidence: float, seed: int) -> tuple[xr.DataArray, ...]:
    """Low and high end of the curve at every duration, and of its median, over resamples of episodes."""
    template = counts[0].ended.isel(episode=0, drop=True).astype(float)
    of_median = template.isel(duration=0, drop=True)
    if max(data.sizes["episode"] for data in counts) < 2:
        return template * np.nan, template * np.nan, of_median * np.nan, of_median * np.nan
    curves: dict[bytes, np.ndarray] = {}  # few episodes give few distinct resamples
    order = []
    for draw in episode_draws([data.sizes["episode"] for data in counts], resamples, seed):
        key = np.concatenate(draw).tobytes()
        order.append(key)
        if key not in curves:
            ended = sum(np.einsum("e,evd->vd", w, d.ended.values) for w, d in zip(draw, counts, strict=True))
            cut = sum(np.einsum("e,evd->vd", w, d.cut.values) for w, d in zip(draw, counts, strict=True))
            curves[key] = product_limit(ended, cut)
    tail = (1 - confidence) / 2
    levels = (tail, 1 - tail)
    bounds = _quantiles(np.stack([curves[key] for key in order]), levels)
    medians = {key: _medians(curve, template.duration.values) for key, curve in curves.items()}
    ends = np.quantile(np.stack([medians[key] for key in order]), levels, axis=0, method="inverted_cdf")
    found = [template.copy(data=bound) for bound in bounds]
    return (*found, *(of_median.copy(data=np.where(np.isinf(end), np.nan, end)) for end in ends))


def _medians(curve: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """First duration at which a curve is at most 1/2, along the last axis; infinite where none is, or nothing is known."""
    return np.where(curve <= 0.5, duration, np.inf).min(axis=-1)


def _quantiles(curves: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    """Quantiles over the first axis, of the resamples that know the curve, where most of them do."""
    known = np.isnan(curves).mean(0) < 0.5
    bounds = np.full((2, *curves.shape[1:]), np.nan)
    bounds[:, known] = np.nanquantile(curves[:, known], levels, axis=0)
    return bounds


def _median(survival: xr.DataArray) -> xr.DataArray:
    reached = survival <= 0.5
    return survival.duration.where(reached).min("duration")


def _restricted_mean(survival: xr.DataArray) -> xr.DataArray:
    """Area under the step curve, which is 1 before duration 1: the mean up to the last known duration."""
    known = survival.notnull()
    last = survival.duration.where(known).max("duration")
    return (1 + survival.where(survival.duration < last, 0).sum("duration")).where(known.any("duration"))
