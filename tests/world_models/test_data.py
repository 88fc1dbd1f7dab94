"""Transitions read from stores, and the errors for stores that do not belong together."""

import numpy as np
import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.world_models.data import Transitions
from tests.helpers.systems import EPISODES, STEPS


def test_stores_become_transitions(seeds):
    data = Transitions.of_stores(*seeds.values(), change=False)
    assert data.inputs.shape == (2 * EPISODES * STEPS, 5) and set(data.episode) == set(range(2 * EPISODES))
    step = data.jacobian[7] @ data.inputs[7]
    np.testing.assert_allclose(step, data.outputs[7], atol=1e-12, err_msg="the masses are linear without an offset")
    change = Transitions.of_stores(*seeds.values(), change=True)
    np.testing.assert_allclose(change.outputs, data.outputs - data.inputs[:, :4])
    np.testing.assert_allclose(change.jacobian, data.jacobian - np.eye(4, 5))


def test_stores_that_do_not_belong_together_are_named(seeds):
    other = [data.assign_attrs(task="Other") for data in seeds["jacobians"]]
    with pytest.raises(UserError, match=r"stores of different runs.*Other"):
        Transitions.of_stores(seeds["rollouts"], other, seeds["sparsity"], change=False)
    mixed = {kind: [first, second.assign_attrs(task="Other")] for kind, (first, second) in seeds.items()}
    with pytest.raises(UserError, match=r"different runs.*Masses.*Other"):
        Transitions.of_stores(*mixed.values(), change=False)
    with pytest.raises(UserError, match=r"seed \[0, 1, 1\]"):
        Transitions.of_stores(seeds["rollouts"], *(stores[::-1] for stores in list(seeds.values())[1:]), change=False)
    turned = [data.rename(qpos_dim="q").assign(qpos_dim=("qpos_dim", [0, 1, 2])) for data in seeds["rollouts"]]
    with pytest.raises(UserError, match="Masses has free or ball joints"):
        Transitions.of_stores(turned, seeds["jacobians"], seeds["sparsity"], change=False)
