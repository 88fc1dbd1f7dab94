"""Constraint events, and how often patterns switch at the steps where they happen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.stores.schema import CONSTRAINT, TIME


def events(active: xr.DataArray) -> xr.DataArray:
    """True at each step (dim `time`) at which a constraint becomes active or inactive; False at the first step."""
    before = active.shift({TIME: 1}, fill_value=False)
    first = xr.DataArray(np.arange(active.sizes[TIME]) == 0, dims=TIME)
    return (active != before).any(CONSTRAINT) & ~first


def coincidence(
    switch: Sequence[np.ndarray], event: Sequence[np.ndarray], shifts: int, confidence: float, seed: int
) -> xr.Dataset:
    """Share of switches that happen at a step with an event, against a null model: events shifted circularly in time.

    `switch` and `event`: one boolean array [time] per episode. Returns scalars:

    - `observed`: the share of switches at a step with an event; `switches`: how many switches there are;
    - `expected`: the exact mean over all shifts, where a switch meets an event as often as events occur in its episode;
    - `low`, `high`: the central interval of level `confidence`, over `shifts` draws of a random shift per episode;
    - `p_value`: two-sided; the observed share counts as one of the shifted ones.

    All are NaN without switches, the p-value also without events. The first step is left out, because it can be neither
    a switch nor an event.
    """
    switch, event = [s[1:] for s in switch], [e[1:] for e in event]
    total = sum(int(s.sum()) for s in switch)
    if total == 0:
        return xr.Dataset(dict.fromkeys(("observed", "expected", "low", "high", "p_value"), np.nan)).assign(switches=0)
    observed = sum(int((s & e).sum()) for s, e in zip(switch, event, strict=True)) / total
    expected = sum(s.sum() * e.mean() for s, e in zip(switch, event, strict=True) if len(s)) / total
    rng = np.random.default_rng(seed)
    matches = np.zeros(shifts)
    for s, e in zip(switch, event, strict=True):
        if len(s):
            matches += _matches_by_shift(s, e)[rng.integers(0, len(s), shifts)]
    null = matches / total
    extreme = np.abs(null - expected) >= abs(observed - expected) - 1e-12
    low, high = np.quantile(null, [(1 - confidence) / 2, (1 + confidence) / 2])
    return xr.Dataset(
        {
            "observed": observed,
            "expected": float(expected),
            "low": low,
            "high": high,
            "p_value": (1 + int(extreme.sum())) / (1 + shifts) if expected > 0 else np.nan,
            "switches": total,
        }
    )


def _matches_by_shift(switch: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Number of switches at a step with an event, for every circular shift of the events (cross-correlation by FFT)."""
    spectrum = np.fft.rfft(switch.astype(float)).conj() * np.fft.rfft(event.astype(float))
    return np.rint(np.fft.irfft(spectrum, n=len(switch)))
