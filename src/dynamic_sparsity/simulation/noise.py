"""Coloured Gaussian noise: draws of unit variance, correlated in time; a longer series begins with the shorter one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MEMORY_STEPS = 1000
"""Steps after which the noise is uncorrelated: its spectrum is flat below the frequency 1 / MEMORY_STEPS. This is the
default length of an episode, so that noise varies within an episode (docs/decisions/0011-noise-extends.md)."""
TAPS = 4096
"""Length of the filter in steps. At its ends, 2 × MEMORY_STEPS from its middle, it is below 1e-5 of its peak."""


def coloured_noise(rng: np.random.Generator, steps: int, channels: int, beta: float) -> Float[np.ndarray, "steps channels"]:
    """Independent channels of stationary Gaussian noise of unit variance, with power spectrum S(f) ~ 1 / f^beta.

    S(f) = (f² + 1 / MEMORY_STEPS²)^(-beta / 2), with f in cycles per step up to 1/2; beta = 0 is white noise. White
    noise passes through a filter, so that a short series equals the start of a longer one bit for bit. White noise and
    filter work in blocks of one size, so that rounding does not depend on the number of steps either.
    """
    response = np.fft.rfft(filter_taps(beta), n=2 * TAPS)[:, np.newaxis]
    previous = rng.standard_normal((TAPS, channels))
    blocks = []
    for _ in range(0, steps, TAPS):
        block = rng.standard_normal((TAPS, channels))
        spectrum = np.fft.rfft(np.concatenate([previous, block]), axis=0)
        blocks.append(np.fft.irfft(response * spectrum, n=2 * TAPS, axis=0)[TAPS:])  # the first half wraps around
        previous = block
    return np.concatenate(blocks)[:steps]


def filter_taps(beta: float) -> Float[np.ndarray, " taps"]:
    """The filter h that turns white noise w into coloured noise, x_t = Σ_k h_k w_{t-k}; symmetric, with Σ h² = 1."""
    frequency = np.fft.rfftfreq(TAPS)
    amplitude = (frequency**2 + MEMORY_STEPS**-2) ** (-beta / 4)
    taps = np.roll(np.fft.irfft(amplitude, n=TAPS), TAPS // 2)
    return taps / np.sqrt(np.sum(taps**2))
