"""Coloured Gaussian noise: temporally correlated draws of unit variance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def coloured_noise(rng: np.random.Generator, steps: int, channels: int, beta: float) -> Float[np.ndarray, "steps channels"]:
    """Independent channels of Gaussian noise of unit variance with power spectrum S(f) ~ 1 / f^beta over `steps`.

    beta = 0 is white noise. Frequency 0 gets the amplitude of the lowest other frequency, as usual in
    reinforcement learning (Timmer & Koenig 1995; Hollenstein, Martius, Piater, arXiv 2312.11091).
    """
    frequencies = np.fft.rfftfreq(steps)
    frequencies[0] = frequencies[1] if steps > 1 else 1.0
    amplitude = frequencies ** (-beta / 2)
    real, imaginary = rng.standard_normal((2, channels, len(frequencies)))
    spectrum = amplitude * (real + 1j * imaginary)
    # The mean and, for an even length, the highest frequency are real: all their power is in the real part.
    edges = [0, -1] if steps % 2 == 0 else [0]
    spectrum[:, edges] = np.sqrt(2) * spectrum[:, edges].real
    weight = np.full(len(frequencies), 2.0)
    weight[edges] = 1.0
    deviation = np.sqrt(2 * np.sum(weight * amplitude**2)) / steps
    return (np.fft.irfft(spectrum, n=steps, axis=1) / deviation).T
