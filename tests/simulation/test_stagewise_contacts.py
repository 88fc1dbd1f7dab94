"""Closed-form stages against automatic differentiation of the whole step: contacts of all dimensions, both cones."""

import numpy as np
import pytest
from mujoco import mjx

from dynamic_sparsity.simulation.constraints import CONTACT, Constraints
from tests.helpers.models import ACTUATORS, assert_stages_are_the_derivative_of_the_whole_step, body, task_of, xml

CONDIMS = {"pyramidal": (1, 3, 4, 6), "elliptic": (3, 4, 6, 3)}  # MJX has no elliptic cone of dimension 1


def touching(condims, ball=""):
    """The arm and the free body; their four geoms touch the floor with contacts of these dimensions."""
    text = body(contact='condim="?"', ball=ball)
    for condim in condims:
        text = text.replace('"?"', f'"{condim}"', 1)
    return text


MODELS = {
    "pyramidal": xml(touching(CONDIMS["pyramidal"]), 'timestep="0.005" integrator="implicitfast"', ACTUATORS),
    "elliptic": xml(
        touching(CONDIMS["elliptic"], ball='limited="true" range="0 0.05"'),
        'timestep="0.005" cone="elliptic" impratio="3"',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_contacts_of_all_dimensions(name):
    task = task_of(MODELS[name])
    assert set(mjx.make_data(task.model, impl="jax")._impl.contact.dim.tolist()) == set(CONDIMS[name])
    stages = assert_stages_are_the_derivative_of_the_whole_step(task)
    contacts = np.array(Constraints.of(task.model).kinds) == CONTACT
    acting = np.any(np.asarray(stages.activity.loaded)[:, contacts], axis=0)
    assert {condim for condim, acts in zip(CONDIMS[name], acting, strict=True) if acts} == set(CONDIMS[name])
