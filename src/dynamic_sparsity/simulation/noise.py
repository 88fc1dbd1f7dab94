"""Coloured Gaussian noise: temporally correlated draws of unit variance, each independent of how many follow it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MEMORY_STEPS = 1000
"""Steps after which noise has forgotten: its spectrum is flat below the frequency 1 / MEMORY_STEPS. The default length of an
episode, so that noise varies within one (docs/decisions/0011-noise-extends.md)."""
TAPS = 4096
"""Length of the filter: at its ends, two memories away from its middle, it has fallen below 1e-5 of its peak."""


def coloured_noise(rng: np.random.Generator, steps: int, channels: int, beta: float) -> Float[np.ndarray, "steps channels"]:
    """Independent channels of stationary Gaussian noise of unit variance, with power spectrum S(f) ~ 1 / f^beta.

    S(f) = (f² + 1 / MEMORY_STEPS²)^(-beta / 2), f in cycles per step up to 1/2; beta = 0 is white noise. It is white noise
    passed through a filter, so that fewer steps are bit for bit the first of more. Both are made in blocks of one size: the
    rounding of a step does not depend on the number of steps either.
    """
    response = np.fft.rfft(filter_taps(beta), n=2 * TAPS)[:, np.newaxis]
    before = rng.standard_normal((TAPS, channels))
    blocks = []
    for _ in range(0, steps, TAPS):
        block = rng.standard_normal((TAPS, channels))
        spectrum = np.fft.rfft(np.concatenate([before, block]), axis=0)
        blocks.append(np.fft.irfft(response * spectrum, n=2 * TAPS, axis=0)[TAPS:])  # the first half is wrapped around
        before = block
    return np.concatenate(blocks)[:steps]


def filter_taps(beta: float) -> Float[np.ndarray, " taps"]:
    """What makes coloured noise of white noise, x_t = Σ_k h_k w_{t-k}: symmetric about its middle, Σ h² = 1."""
    frequency = np.fft.rfftfreq(TAPS)
    amplitude = (frequency**2 + MEMORY_STEPS**-2) ** (-beta / 4)
    taps = np.roll(np.fft.irfft(amplitude, n=TAPS), TAPS // 2)
    return taps / np.sqrt(np.sum(taps**2))
