"""Networks: one sample in, one out; masks and messages are zeros of the Jacobian."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynamic_sparsity.settings.networks import NETWORKS
from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.world_models.losses import (
    JACOBIAN_LOSSES,
)
from dynamic_sparsity.world_models.networks.attention import Attention
from dynamic_sparsity.world_models.networks.gated import Gated
from dynamic_sparsity.world_models.training import build
from tests.helpers.source import PACKAGE
from tests.helpers.systems import IN, OUT
from tests.helpers.systems import SWITCHED as TREE


def model(**settings):
    return WorldModelSettings.model_validate({"width": 16, "depth": 1, **settings})


def test_settings_offer_every_network_and_loss():
    fields = WorldModelSettings.model_fields
    modules = {path.stem for path in (PACKAGE / "world_models/networks").glob("[!_]*.py")}
    assert set(get_args(fields["network"].annotation)) == set(NETWORKS) == modules - {"base", "gates"}
    assert set(get_args(get_args(fields["jacobian_loss"].annotation)[0])) == set(JACOBIAN_LOSSES)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_one_sample_and_have_a_derivative(name):
    network = build(model(network=name), TREE, seed=0)
    x = jnp.linspace(-1, 1, IN)
    assert network(x).shape == (OUT,) and jax.jacfwd(network)(x).shape == (OUT, IN)
    assert np.isfinite(jax.jacfwd(network)(x)).all()
    mask = network.mask(x)
    if mask is None:
        assert network.penalty(x) == 0
        np.testing.assert_array_equal(network.sampled(x, jax.random.key(0)), network(x))
    else:
        assert mask.shape == (OUT, IN) and 0 < network.penalty(x) < 1
        assert not np.array_equal(network.sampled(x, jax.random.key(0)), network.sampled(x, jax.random.key(1)))


def test_a_closed_gate_is_a_zero_of_the_jacobian():
    network = build(model(network="gated"), TREE, seed=0)
    assert isinstance(network, Gated)
    last = network.gate.layers[-1]
    assert last.bias is not None
    last.kernel[...] *= 0
    bias = np.full((OUT, IN), 10.0)
    bias[1, 2] = bias[2, 0] = -10.0
    last.bias[...] = jnp.asarray(bias.ravel())
    x = jnp.linspace(-1, 1, IN)
    np.testing.assert_array_equal(network.mask(x), bias > 0)
    np.testing.assert_array_equal(jax.jacfwd(network)(x) == 0, bias < 0)


def test_attention_sees_along_paths_of_open_gates():
    network = build(model(network="attention", depth=2), TREE, seed=0)
    assert isinstance(network, Attention)
    x = jnp.linspace(-1, 1, IN)
    for layer in network.layers:
        layer.asked.kernel[...] *= 0  # all logits are 2, whatever the state is
    assert network.mask(x).all()
    np.testing.assert_allclose(jax.jacfwd(network)(x) == 0, False)
    logits = np.full((2, IN, IN), -10.0)
    logits[0, 1, 4] = logits[1, 0, 1] = 10.0  # 4 to 1, then 1 to 0
    for number, layer in enumerate(network.layers):
        layer.logits = lambda tokens, number=number: jnp.asarray(logits[number])
    expected = np.eye(OUT, IN, dtype=bool)
    expected[1, 4] = expected[0, 1] = expected[0, 4] = True
    np.testing.assert_array_equal(network.mask(x), expected)
    np.testing.assert_array_equal(jax.jacfwd(network)(x) != 0, expected)


def test_a_graph_network_sees_as_far_as_its_messages():
    x = jnp.linspace(-1, 1, IN)
    one, two, three = (np.asarray(jax.jacfwd(build(model(network="graph", depth=d), TREE, seed=0))(x)) for d in (1, 2, 3))
    by_hand = np.array([[1, 1, 0, 1, 1], [1, 1, 0, 1, 1], [0, 0, 1, 0, 1]], bool)
    np.testing.assert_array_equal(one != 0, by_hand)
    assert (two[0] != 0).all() and two[1, 2] == 0, "0 and 2 are connected through the world"
    assert (three != 0).all()
