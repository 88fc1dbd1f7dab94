"""What moving an input does to outputs whose derivative is zero, weak or anything else."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions.zero import below
from dynamic_sparsity.settings.interventions import InterventionSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.mask_prediction import predictions
from dynamic_sparsity.sparsity.resampling import with_intervals
from dynamic_sparsity.sparsity.zeros import finite_mask, zero_mask
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, labels

CONDITIONS = ("all", "free", "contact", "limit")
"""Conditions of a step: any; without an active constraint; with an active contact; with an active joint or tendon limit."""
DECADES = np.arange(-20, 11)
"""Powers of ten that bound the bins of |change| / (1 + |output|)."""
SIZE, DIRECTION, SAMPLE, CONDITION, SHARE = "size", "direction", "sample", "condition", "weak_share"
_ENTRIES = (OUT, IN)
_OF_EPISODE = (SAMPLE, *_ENTRIES)
_OF_ALL = (EPISODE, *_OF_EPISODE)
_NEAR = 100.0
"""A change is near the bound of rounding if it is less than this factor away from it."""


def summarise(
    seeds: Sequence[xr.Dataset], threshold: float, settings: InterventionSettings, resampling: ResamplingSettings
) -> xr.Dataset:
    """Which zeros act when their input is moved, which other entries are weak, and how far the derivative reaches.

    `seeds`: the effects of moves at sampled steps, one Dataset per study seed (dims `episode`, `sample`, `size`,
    `direction`, `out_dim`, `in_dim`; NaN after an episode's last sample). `threshold`: the main threshold of zero.

    A **zero** is a finite entry below the threshold whose input varies. It **acts** at a size if the output changes by
    more than `settings.rounding` × (1 + |output|) in either direction. Entries whose output is not finite in one
    direction count at no size. Each measure is computed per episode, then averaged over episodes; `_low` and `_high`
    are the ends of an interval from resampling episodes within seeds:

    - `acting` (size, condition): share of the zeros that act;
    - `reached` (size, condition): share of the zeros that act at this size or a smaller one;
    - `error_median`, `error_90` (size): median and 90 % quantile of |J dx - change| / |change| over entries and directions
      that change beyond rounding;
    - `weak` (weak_share): share of the non-zero entries whose influence |J| sd(input) / sd(output) is below this share;
      `weak_moved` (size, weak_share): the same of the larger |change| of both directions / (size · sd(output));
    - `own`, `other`, `advantage` (size): share of the entries of which a zero mask says rightly whether they act
      (`mask_prediction.predictions`), of the step's own mask and of the masks of other episodes, and own - other.

    Not averaged: `entry_zeros` and `entry_acting` (size; out_dim, in_dim), in how many sampled steps an entry is a zero,
    and acts then; by `condition`: `zeros`, how many zeros there are, and `condition_steps`, how many steps; `nonfinite`,
    share of the entries with a varying input that are not finite; `near_rounding` (size), share of the zeros whose
    largest change is less than a factor of 100 away from the bound; `change_count` (size, decade), zeros by the power of
    ten of their largest change / (1 + |output|); `repeat_change`, the largest change / (1 + |output|) where nothing was
    moved; `input_deviation`, `output_deviation`; `steps`, how many steps were sampled.
    """
    entries = [_entries_of(seed, threshold, settings) for seed in seeds]
    measures = [_of_seed(*pair, settings) for pair in zip(seeds, entries, strict=True)]
    predicted = predictions(entries)
    averaged = with_intervals([a.merge(b) for a, b in zip(measures, predicted, strict=True)], resampling)
    counted = _counts(entries, settings.rounding)
    repeat_change = np.fmax.reduce([float(seed.repeat_change.max()) for seed in seeds])
    result = xr.merge([averaged, counted, seeds[0][["input_deviation", "output_deviation"]]])
    return result.assign(repeat_change=repeat_change).assign_coords({CONDITION: labels(CONDITIONS), SHARE: settings.weak})


def _entries_of(seed: xr.Dataset, threshold: float, settings: InterventionSettings) -> xr.Dataset:
    """Masks of the entries of one study seed.

    `finite`, `zero` (episode, sample, out_dim, in_dim) of the derivative; also over `size`: `usable` (changes are
    finite), `acts`, and `relative`, the larger |change| / (1 + |output|) of both directions. `condition` of each sample.
    """
    varies = seed.input_deviation > 0
    finite = finite_mask(seed.jacobian) & varies
    relative = (abs(seed.change) / seed.scale).max(DIRECTION, skipna=False)
    usable = finite & xr.ufuncs.isfinite(relative)
    active = seed.constraint_active
    kinds = seed.constraint_kind.values
    in_contact = active[{CONSTRAINT: np.flatnonzero(kinds == "contact")}].any(CONSTRAINT)
    at_limit = active[{CONSTRAINT: np.flatnonzero(kinds != "contact")}].any(CONSTRAINT)
    sampled = seed.step >= 0
    conditions = [sampled, sampled & ~active.any(CONSTRAINT), in_contact, at_limit]
    return xr.Dataset(
        {
            "sampled": sampled,
            "varies": varies,
            "finite": finite,
            "zero": zero_mask(seed.jacobian, threshold) & finite,
            "usable": usable,
            "relative": relative,
            "acts": usable & (relative > settings.rounding),
            "in_condition": xr.concat(conditions, dim=CONDITION),
        }
    ).drop_vars("constraint_kind", errors="ignore")


def _of_seed(seed: xr.Dataset, entries: xr.Dataset, settings: InterventionSettings) -> xr.Dataset:
    """The measures of each episode of one study seed, without those of masks."""
    zeros = entries.zero & entries.usable
    reached = entries.acts.cumsum(SIZE) > 0
    return xr.Dataset(
        {
            "acting": _share(entries.acts, zeros, entries.in_condition),
            "reached": _share(reached, zeros.all(SIZE), entries.in_condition),
            **_weak(seed, entries, settings.weak),
            **_errors(seed, entries, settings.rounding),
        }
    )


def _share(part: xr.DataArray, whole: xr.DataArray, in_condition: xr.DataArray) -> xr.DataArray:
    """The share of `whole` in which `part` is true, per episode and condition; NaN where `whole` is nowhere true."""
    counts = [
        xr.dot(mask.sum(_ENTRIES).astype(float), in_condition.astype(float), dim=SAMPLE) for mask in (part & whole, whole)
    ]
    return counts[0] / counts[1].where(counts[1] > 0)


def _weak(seed: xr.Dataset, entries: xr.Dataset, shares: Sequence[float]) -> dict[str, xr.DataArray]:
    """Shares of the non-zero entries with a small influence, by the derivative and by the moves."""
    varying = seed.output_deviation > 0
    deviation = seed.output_deviation.where(varying)
    influence = abs(seed.jacobian) * seed.input_deviation / deviation
    moved = abs(seed.change).max(DIRECTION, skipna=False) / (seed[SIZE] * deviation)
    nonzero = entries.finite & ~entries.zero & varying
    by_kind = {"weak": (influence, nonzero), "weak_moved": (moved, nonzero & entries.usable)}
    return {
        name: xr.concat(
            [(below(values, share) & whole).sum(_OF_EPISODE) / _positive(whole.sum(_OF_EPISODE)) for share in shares],
            dim=SHARE,
        )
        for name, (values, whole) in by_kind.items()
    }


def _positive(count: xr.DataArray) -> xr.DataArray:
    return count.where(count > 0)


def _errors(seed: xr.Dataset, entries: xr.Dataset, rounding: float) -> dict[str, xr.DataArray]:
    """Quantiles of the error of J dx, relative to the change, over the changes beyond rounding."""
    size = abs(seed.change)
    changed = entries.usable & (size > rounding * seed.scale)
    linear = seed.jacobian * seed[DIRECTION] * seed[SIZE] * seed.input_deviation
    error = (abs(linear - seed.change) / size.where(changed)).transpose(EPISODE, SIZE, DIRECTION, *_OF_EPISODE)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        flat = error.values.reshape(*error.shape[:2], -1)
        median, high = np.nanquantile(flat, [0.5, 0.9], axis=-1) if flat.size else np.full((2, *error.shape[:2]), np.nan)
    by_name = {"error_median": median, "error_90": high}
    return {name: xr.DataArray(values, dims=(EPISODE, SIZE)) for name, values in by_name.items()}


def _counts(entries: Sequence[xr.Dataset], rounding: float) -> xr.Dataset:
    """Counts over all sampled steps of all study seeds, and shares of such counts."""
    pooled = xr.concat([seed.drop_vars(EPISODE, errors="ignore") for seed in entries], dim=EPISODE, data_vars="minimal")
    every = (EPISODE, SAMPLE)
    zeros = pooled.zero & pooled.usable
    near = (pooled.relative > rounding / _NEAR) & (pooled.relative < rounding * _NEAR)
    of_step = pooled.zero.sum(_ENTRIES)
    varying = (pooled.sampled & pooled.varies).sum() * pooled.sizes[OUT]
    return xr.Dataset(
        {
            "entry_zeros": zeros.sum(every),
            "entry_acting": (zeros & pooled.acts).sum(every),
            "zeros": (of_step * pooled.in_condition).sum(every),
            "condition_steps": pooled.in_condition.sum(every),
            "nonfinite": 1 - pooled.finite.sum() / _positive(varying),
            "near_rounding": (zeros & near).sum(_OF_ALL) / _positive(zeros.sum(_OF_ALL)),
            "change_count": _decades(pooled.relative.where(zeros)),
            "steps": pooled.sampled.sum(),
        }
    )


def _decades(relative: xr.DataArray) -> xr.DataArray:
    """How many values lie in each power of ten, per size; values outside DECADES are in the first or last bin."""
    flat = relative.transpose(SIZE, ...).values.reshape(relative.sizes[SIZE], -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.clip(np.floor(np.log10(flat)), DECADES[0], DECADES[-1])
    counts = [np.bincount((row[~np.isnan(row)] - DECADES[0]).astype(int), minlength=len(DECADES)) for row in power]
    return xr.DataArray(counts, dims=(SIZE, "decade"), coords={"decade": DECADES})
