"""Coloured noise: spectrum, variance, independence."""

import jax.numpy as jnp
import numpy as np
import pytest

from dynamic_sparsity.settings import NoisePolicy, PolicySettings, ZeroPolicy
from dynamic_sparsity.simulation.noise import coloured_noise
from dynamic_sparsity.simulation.policies import ACTION_LIMIT, episode_seed, make_policy, reset_key


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_spectrum_and_variance(beta):
    steps = 1000
    samples = coloured_noise(np.random.default_rng(0), steps, 2000, beta)
    assert samples.shape == (steps, 2000)
    assert np.mean(samples**2) == pytest.approx(1.0, rel=0.05)
    power = (np.abs(np.fft.rfft(samples, axis=0)) ** 2).mean(1)[1:-1]
    frequency = np.fft.rfftfreq(steps)[1:-1]
    slope = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert slope == pytest.approx(-beta, abs=0.02)


@pytest.mark.parametrize("steps", [2, 3, 7, 50])
def test_every_step_has_unit_variance_whatever_the_length(steps):
    samples = coloured_noise(np.random.default_rng(1), steps, 40_000, 0.5)
    np.testing.assert_allclose(samples.var(axis=1), 1.0, atol=0.05)


def test_channels_are_independent():
    samples = coloured_noise(np.random.default_rng(2), 20_000, 3, 0.5)
    correlation = np.corrcoef(samples.T) - np.eye(3)
    assert np.abs(correlation).max() < 0.05


def test_white_noise_has_no_memory():
    samples = coloured_noise(np.random.default_rng(3), 50_000, 1, 0.0)[:, 0]
    assert abs(np.corrcoef(samples[:-1], samples[1:])[0, 1]) < 0.02


def test_draws_depend_on_the_seed_alone_and_actions_stay_inside_the_range():
    policy = make_policy("noise", PolicySettings(noise=NoisePolicy(scale=3.0)))
    first = policy.draws(np.random.default_rng(episode_seed(0, 0)), 50, 2)
    np.testing.assert_array_equal(first, policy.draws(np.random.default_rng(episode_seed(0, 0)), 50, 2))
    actions = np.stack([policy.act((), None, jnp.asarray(draw)) for draw in first])
    assert actions.shape == (50, 2) and np.abs(actions).max() == pytest.approx(ACTION_LIMIT)
    inside = np.abs(first) < ACTION_LIMIT
    np.testing.assert_array_equal(actions[inside], first[inside])
    assert not make_policy("zero", PolicySettings(zero=ZeroPolicy())).draws(np.random.default_rng(0), 5, 2).any()


def test_episode_seeds_do_not_collide():
    seeds = {episode_seed(seed, episode) for seed in range(300) for episode in range(100)}
    assert len(seeds) == 30_000 and max(seeds) > 2**60, "64 bits: 32 would collide in a large study"
    keys = {tuple(np.asarray(reset_key(seed)).tolist()) for seed in list(seeds)[:500]}
    assert len(keys) == 500 and all(len(key) == 2 for key in keys)
