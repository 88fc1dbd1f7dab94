"""Patterns, the zero masks of whole steps: which occur, when they switch, and which follow which."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.stores.schema import IN, OUT, TIME

NO_PATTERN = -1
"""The number of steps without a pattern: steps with a non-finite entry, and padding."""


class PatternBook:
    """Numbers distinct patterns in the order of their first appearance."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def identify(self, zero: xr.DataArray, finite: xr.DataArray) -> xr.DataArray:
        """The pattern number of each step of one episode (dim `time`); NO_PATTERN where an entry is not finite."""
        masks = np.packbits(zero.transpose(TIME, OUT, IN).values.reshape(zero.sizes[TIME], -1), axis=1)
        all_finite = finite.all((OUT, IN)).values
        numbers = [
            self._numbers.setdefault(mask.tobytes(), len(self._numbers)) if has_pattern else NO_PATTERN
            for mask, has_pattern in zip(masks, all_finite, strict=True)
        ]
        return xr.DataArray(np.array(numbers, dtype=np.int32), dims=TIME)

    def masks(self, rows: int, columns: int) -> np.ndarray:
        """The zero masks of all patterns, [pattern, rows, columns]."""
        packed = np.frombuffer(b"".join(self._numbers), dtype=np.uint8).reshape(-1, -(-rows * columns // 8))
        return np.unpackbits(packed, axis=1, count=rows * columns).reshape(-1, rows, columns).astype(bool)


def switches(pattern: xr.DataArray) -> xr.DataArray:
    """True at a step whose pattern differs from the one before.

    False at the first step, and where either step has no pattern.
    """
    before = pattern.shift({TIME: 1}, fill_value=NO_PATTERN)
    return (pattern != before) & (pattern != NO_PATTERN) & (before != NO_PATTERN)


def switch_rate(pattern: xr.DataArray) -> xr.DataArray:
    """Switches per pair of consecutive steps that both have a pattern; NaN if there is no such pair."""
    before = pattern.shift({TIME: 1}, fill_value=NO_PATTERN)
    pairs = ((pattern != NO_PATTERN) & (before != NO_PATTERN)).sum(TIME)
    return switches(pattern).sum(TIME) / pairs.where(pairs > 0)


def follow_counts(pattern: xr.DataArray) -> pd.Series:
    """How often pattern `from` is followed by a different pattern `to`, over all episodes, most frequent first."""
    changed = switches(pattern).values
    before = pattern.shift({TIME: 1}, fill_value=NO_PATTERN).values
    pairs = pd.DataFrame({"from": before[changed], "to": pattern.values[changed]})
    return pairs.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")


def autocorrelation(zero: xr.DataArray, finite: xr.DataArray, max_lag: int) -> xr.DataArray:
    """Correlation of patterns `lag` steps apart (dim `lag`), pooled over the entries of one episode that ever change.

    rho(lag) = mean over (step, entry) pairs of (z_t - m)(z_{t+lag} - m) / mean of (z_t - m)^2, where z is 1 for a zero
    entry and 0 otherwise, and m is the mean of z over the episode, one per entry; rho(0) = 1. Pairs with a non-finite
    entry are left out. NaN if no entry changes, and at lags beyond the episode's length.
    """
    value = zero.transpose(TIME, OUT, IN).values.reshape(zero.sizes[TIME], -1).astype(float)
    is_finite = finite.transpose(TIME, OUT, IN).values.reshape(value.shape)
    count = is_finite.sum(0)
    mean = np.where(is_finite, value, 0).sum(0) / np.maximum(count, 1)
    centred = np.where(is_finite, value - mean, 0.0)
    steps = len(value)
    varying = (np.abs(centred) > 0).any(0)
    rho = np.full(max_lag + 1, np.nan)
    if varying.any():
        centred, is_finite = centred[:, varying], is_finite[:, varying]
        products, pairs = _lagged_sums(centred), np.rint(_lagged_sums(is_finite.astype(float)))
        last = min(max_lag, steps - 1)
        covariance = np.full(last + 1, np.nan)
        np.divide(products[: last + 1], pairs[: last + 1], out=covariance, where=pairs[: last + 1] > 0)
        rho[: last + 1] = covariance / covariance[0]
    return xr.DataArray(rho, dims="lag", coords={"lag": np.arange(max_lag + 1)})


def _lagged_sums(columns: np.ndarray) -> np.ndarray:
    """The sum over columns and t of x[t] x[t + lag], for every lag, by FFT."""
    steps = len(columns)
    spectrum = np.fft.rfft(columns, n=2 * steps, axis=0)
    return np.fft.irfft((spectrum * spectrum.conj()).real.sum(1), n=2 * steps)[:steps]
