"""Coloured noise: spectrum, variance and independence; a longer series begins with the shorter one."""

import jax.numpy as jnp
import numpy as np
import pytest

from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.simulation.noise import MEMORY_STEPS, TAPS, coloured_noise, filter_taps
from dynamic_sparsity.simulation.policies import make_policy
from dynamic_sparsity.simulation.policies.base import ACTION_LIMIT, episode_seed, reset_key

BETAS = [0.0, 0.5, 1.0, 2.0]


def fourier_noise(rng, steps, channels, beta):
    """Reference: periodic noise of spectrum 1 / f^beta, by one Fourier transform (Timmer & Koenig 1995)."""
    frequency = np.fft.rfftfreq(steps)
    frequency[0] = frequency[1]
    real, imaginary = rng.standard_normal((2, channels, len(frequency)))
    spectrum = frequency ** (-beta / 2) * (real + 1j * imaginary)
    edges = [0, -1] if steps % 2 == 0 else [0]  # these are real: all their power is in the real part
    spectrum[:, edges] = np.sqrt(2) * spectrum[:, edges].real
    samples = np.fft.irfft(spectrum, n=steps, axis=1).T
    return samples / np.sqrt(np.mean(samples**2))


def spectrum_of(samples):
    """Mean power over the channels, from the fourth frequency to the last but one.

    A Hann window keeps noise that is not periodic from leaking into high frequencies.
    """
    window = np.hanning(len(samples))[:, np.newaxis]
    power = (np.abs(np.fft.rfft(window * samples, axis=0)) ** 2).mean(1)
    return np.fft.rfftfreq(len(samples))[4:-1], power[4:-1]


@pytest.mark.parametrize("beta", BETAS)
def test_spectrum_and_variance(beta):
    samples = coloured_noise(np.random.default_rng(0), 1000, 2000, beta)
    assert samples.shape == (1000, 2000)
    assert np.mean(samples**2) == pytest.approx(1.0, rel=0.05)
    frequency, power = spectrum_of(samples)
    slope = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert slope == pytest.approx(-beta, abs=0.02)


@pytest.mark.parametrize("beta", BETAS)
def test_within_an_episode_it_is_what_a_fourier_transform_of_the_episode_makes(beta):
    """The two differ by variance slower than an episode, which a single transform of an episode cannot have."""
    samples = coloured_noise(np.random.default_rng(0), 1000, 1000, beta)
    reference = fourier_noise(np.random.default_rng(1), 1000, 1000, beta)
    _, power = spectrum_of(samples)
    _, expected = spectrum_of(reference)
    ratio = (power / power.sum()) / (expected / expected.sum())
    np.testing.assert_allclose(ratio, 1, atol=0.25)  # both are means of 1000 draws, each with 3 % of noise
    assert np.exp(np.log(ratio[50:]).mean()) == pytest.approx(np.exp(np.log(ratio[:50]).mean()), rel=0.03)
    inside, expected_inside = (array.var(axis=0).mean() for array in (samples, reference))
    assert inside == pytest.approx(expected_inside, rel=0.02 if beta < 2 else 0.12)


@pytest.mark.parametrize("beta", [*BETAS, 4.0])
def test_the_filter_passes_each_frequency_as_it_says(beta):
    taps, fine = filter_taps(beta), 2**17
    passed = np.abs(np.fft.rfft(taps, n=fine)) ** 2
    expected = (np.fft.rfftfreq(fine) ** 2 + MEMORY_STEPS**-2) ** (-beta / 2)
    np.testing.assert_allclose(passed / passed.mean(), expected / expected.mean(), rtol=5e-3)
    assert np.sum(taps**2) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("beta", [*BETAS, 4.0])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_a_longer_episode_goes_on_where_a_shorter_one_ends(beta, channels):
    longest = coloured_noise(np.random.default_rng(5), 2 * TAPS + 5, channels, beta)
    assert longest.shape == (2 * TAPS + 5, channels)
    for steps in (1, 2, 30, 200, 1000, TAPS - 1, TAPS, TAPS + 1, 2 * TAPS):
        np.testing.assert_array_equal(coloured_noise(np.random.default_rng(5), steps, channels, beta), longest[:steps])


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_no_seam_between_blocks(beta):
    """The correlation of two steps depends on their distance only and follows from the spectrum."""
    samples = np.concatenate([coloured_noise(np.random.default_rng(seed), TAPS + 200, 500, beta) for seed in range(6)], 1)
    fine = 2**16
    power = (np.fft.rfftfreq(fine) ** 2 + MEMORY_STEPS**-2) ** (-beta / 2)
    covariance = np.fft.irfft(power)
    for lag in (1, 150):
        for first in (5, TAPS - lag - 1, TAPS - lag // 2 - 1, TAPS):
            measured = np.mean(samples[first] * samples[first + lag])
            expected = covariance[lag] / covariance[0]
            assert measured == pytest.approx(expected, abs=0.1), (lag, first)  # four standard deviations


def test_every_step_has_unit_variance():
    """This holds for shorter episodes as well, because their steps are the same."""
    squares = [(coloured_noise(np.random.default_rng(seed), 50, 1000, 0.5) ** 2).mean(axis=1) for seed in range(8)]
    np.testing.assert_allclose(np.mean(squares, axis=0), 1.0, atol=0.05)


def test_channels_are_independent():
    samples = coloured_noise(np.random.default_rng(2), 20_000, 3, 0.5)
    correlation = np.corrcoef(samples.T) - np.eye(3)
    assert np.abs(correlation).max() < 0.05


def test_white_noise_has_no_memory():
    samples = coloured_noise(np.random.default_rng(3), 50_000, 1, 0.0)[:, 0]
    assert abs(np.corrcoef(samples[:-1], samples[1:])[0, 1]) < 0.02


def test_draws_depend_on_the_seed_alone_and_actions_stay_inside_the_range():
    policy = make_policy("noise", PolicySettings.model_validate({"noise": {"scale": 3.0}}))
    first = policy.draws(np.random.default_rng(episode_seed(0, 0)), 50, 2)
    np.testing.assert_array_equal(first, policy.draws(np.random.default_rng(episode_seed(0, 0)), 50, 2))
    np.testing.assert_array_equal(policy.draws(np.random.default_rng(episode_seed(0, 0)), 70, 2)[:50], first)
    actions = np.stack([policy.act((), None, jnp.asarray(draw)) for draw in first])
    assert actions.shape == (50, 2) and np.abs(actions).max() == pytest.approx(ACTION_LIMIT)
    inside = np.abs(first) < ACTION_LIMIT
    np.testing.assert_array_equal(actions[inside], first[inside])
    assert not make_policy("zero", PolicySettings.model_validate({"zero": {}})).draws(np.random.default_rng(0), 5, 2).any()


def test_episode_seeds_do_not_collide():
    seeds = {episode_seed(seed, episode) for seed in range(300) for episode in range(100)}
    assert len(seeds) == 30_000 and max(seeds) > 2**60, "64 bits: 32 would collide in a large study"
    keys = {tuple(np.asarray(reset_key(seed)).tolist()) for seed in list(seeds)[:500]}
    assert len(keys) == 500 and all(len(key) == 2 for key in keys)
