"""The closed-form stages against automatic differentiation of the whole step: contacts of all dimensions, both cones."""

import pytest
from mujoco import mjx

from tests.unit.models import ACTUATORS, assert_stages_are_the_derivative_of_the_whole_step, body, task_of, xml

MODELS = {
    "pyramidal, bodies touching": xml(body(with_whom=""), more=ACTUATORS),
    "pyramidal, condim 1": xml(body(contact='condim="1" friction="0 0 0"')),
    "pyramidal, condim 4": xml(body(contact='condim="4"')),
    "pyramidal, condim 6, implicitfast": xml(
        body(contact='condim="6"'), 'timestep="0.005" integrator="implicitfast"', ACTUATORS
    ),
    "elliptic, condim 3": xml(body(), 'timestep="0.005" cone="elliptic" impratio="3"'),
    "elliptic, condim 4 and limited ball": xml(
        body(contact='condim="4"', ball='limited="true" range="0 0.05"'), 'timestep="0.005" cone="elliptic"'
    ),
    "elliptic, condim 6": xml(body(contact='condim="6"'), 'timestep="0.005" cone="elliptic"'),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_stages_are_the_derivative_of_the_whole_step(name):
    task = task_of(MODELS[name])
    expected = int(name.partition("condim ")[2][:1] or 3)
    assert set(mjx.make_data(task.model, impl="jax")._impl.contact.dim.tolist()) == {expected}
    assert_stages_are_the_derivative_of_the_whole_step(task)
