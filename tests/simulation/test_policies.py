"""Policies: an expert file acts as the trainer's network does, and noise has the spectrum of its settings."""

import functools
import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.settings.policy_kinds import POLICY_KINDS
from dynamic_sparsity.simulation.policies import make_policy
from dynamic_sparsity.simulation.policies.base import ACTION_LIMIT, Policy
from dynamic_sparsity.simulation.policies.expert import TrainedExpert
from tests.helpers.experts import make_expert
from tests.helpers.source import PACKAGE


def brax_networks(expert):
    from brax.training.acme import running_statistics
    from brax.training.agents.ppo import networks

    clip = expert.provenance["observation_clip"]

    def normalised(observation, preprocessor_params):
        return running_statistics.normalize(observation, preprocessor_params, max_abs_value=clip)

    network = networks.make_ppo_networks(
        expert.observation_size,
        expert.provenance["action_size"],
        normalised,
        policy_hidden_layer_sizes=[len(bias) for _, bias in expert.layers[:-1]],
    )
    layers = {f"hidden_{i}": {"kernel": kernel, "bias": bias} for i, (kernel, bias) in enumerate(expert.layers)}
    mean, std = (jnp.asarray(expert.tensors[f"observation_{name}"]) for name in ("mean", "std"))
    return network, (running_statistics.NestedMeanStd(mean, std), {"params": layers})


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_an_expert_acts_as_braxs_networks_do(scale):
    """The clip of observations matters at the larger scale."""
    from brax.training.agents.ppo import networks

    expert = make_expert()
    policy = TrainedExpert(expert)
    network, parameters = brax_networks(expert)
    rng = np.random.default_rng(0)
    act = networks.make_inference_fn(network)(parameters)
    mode = networks.make_inference_fn(network)(parameters, deterministic=True)
    for observation in (scale * rng.normal(size=(11, 5))).astype(np.float32):
        key = jax.random.key(rng.integers(1000))
        limited = functools.partial(np.clip, a_min=-ACTION_LIMIT, a_max=ACTION_LIMIT)
        action = policy.act(policy.parameters, observation, jnp.zeros(2))
        np.testing.assert_allclose(action, limited(mode(observation, key)[0]), atol=2e-6)
        draw = jax.random.normal(key, (2,))  # as brax draws (distribution._NormalDistribution.sample)
        action = policy.act(policy.parameters, observation, draw)
        np.testing.assert_allclose(action, limited(act(observation, key)[0]), atol=2e-6)


def test_white_draws_are_standard_normal():
    policy = TrainedExpert(make_expert(), beta=0.0)
    draws = policy.draws(np.random.default_rng(3), 4000, 2)
    assert draws.shape == (4000, 2)
    for column in draws.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 0.01
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 0.05


def test_coloured_draws_have_unit_variance_a_slope_and_independent_dimensions():
    policy = TrainedExpert(make_expert(), beta=0.5)
    draws = np.array([policy.draws(np.random.default_rng(seed), 1000, 2) for seed in range(200)])
    assert draws.var() == pytest.approx(1, abs=0.05)
    power = (np.abs(np.fft.rfft(draws, axis=1)) ** 2).mean((0, 2))[1:-1]
    slope = np.polyfit(np.log(np.fft.rfftfreq(1000)[1:-1]), np.log(power), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)
    assert abs(np.corrcoef(draws[..., 0].ravel(), draws[..., 1].ravel())[0, 1]) < 0.05


def test_the_mode_draws_nothing():
    policy = TrainedExpert(make_expert(), deterministic=True)
    assert not policy.draws(np.random.default_rng(0), 9, 2).any()


def test_actions_stay_inside_the_range():
    policy = TrainedExpert(make_expert())
    action = policy.act(policy.parameters, jnp.ones(5), jnp.array([1e6, -1e6]))
    np.testing.assert_allclose(action, [ACTION_LIMIT, -ACTION_LIMIT])


def test_seeds_share_a_program_and_other_networks_do_not():
    expert, wider = (TrainedExpert(make_expert(hidden=hidden)) for hidden in ((7, 3), (7, 4)))
    assert TrainedExpert(make_expert(seed=5), beta=0.0).acts == expert.acts != wider.acts
    assert TrainedExpert(make_expert(observation_clip=0.0)).acts != expert.acts


def test_no_clip_means_none():
    policy = TrainedExpert(make_expert(observation_clip=0.0))
    clipped = TrainedExpert(make_expert(observation_clip=5.0))
    far = jnp.full(5, 100.0)
    assert (
        np.abs(policy.act(policy.parameters, far, jnp.zeros(2)) - clipped.act(clipped.parameters, far, jnp.zeros(2))).max()
        > 0
    )


@pytest.mark.parametrize("name", POLICY_KINDS)
def test_a_policy_takes_the_settings_of_its_row(name):
    make = importlib.import_module(f"dynamic_sparsity.simulation.policies.{name}").make
    _, *settings = inspect.signature(make).parameters
    assert settings == list(POLICY_KINDS[name].settings) and "_" not in name
    policy = make_policy(name, PolicySettings.model_validate({name: {}}))
    assert isinstance(policy, Policy) and policy.draws(np.random.default_rng(0), 7, 3).shape == (7, 3)


def test_every_policy_is_a_module_with_a_row():
    modules = {path.stem for path in (PACKAGE / "simulation/policies").glob("[!_]*.py")}
    assert modules - {"base"} == {"expert", *POLICY_KINDS} == set(PolicySettings.model_fields)


def test_an_expert_acts_with_its_section():
    expert = make_expert()
    policy = make_policy("expert", PolicySettings.model_validate({"expert": {"beta": 2.0}}), expert)
    assert policy == TrainedExpert(expert, beta=2.0)
    with pytest.raises(ValueError, match="needs an expert's file"):
        make_policy("expert", PolicySettings.model_validate({"expert": {}}))
