"""Closed-form stages against automatic differentiation of the whole step: equal up to rounding, with equal zeros."""

import mujoco
import numpy as np
import pytest

from dynamic_sparsity.simulation.stagewise.step import obstacle
from dynamic_sparsity.simulation.stagewise.tree import Tree
from tests.helpers.models import (
    ACTUATORS,
    CURVED_ACTUATORS,
    FREE,
    NOWHERE,
    assert_stages_are_the_derivative_of_the_whole_step,
    body,
    task_of,
    xml,
)

MODELS = {
    "tendons, sites, an equality and bodies that touch each other": xml(
        body(collisions=""),
        'timestep="0.005" integrator="implicitfast"',
        CURVED_ACTUATORS + '<equality><connect site1="elbow" site2="world"/></equality>',
    ),
    "tendons, sites, fluid and gravity compensation": xml(
        body(height="0.5", collisions=NOWHERE).replace('<body name="free"', '<body name="free" gravcomp="0.6"'),
        'timestep="0.005" density="500" viscosity="0.5"',
        CURVED_ACTUATORS,
    ),
    "equalities and activations": xml(
        body(height="0.3", collisions=NOWHERE),
        more="""<tendon>
        <fixed name="pair"><joint joint="slide" coef="1"/><joint joint="hinge" coef="-0.5"/></fixed>
        <spatial name="long"><site site="world"/><site site="tip"/></spatial>
        <spatial name="short"><site site="elbow"/><site site="loose"/></spatial>
        </tendon>
        <equality>
        <weld site1="tip" site2="loose" torquescale="0.7"/>
        <joint joint1="slide" joint2="hinge" polycoef="0 0.1 0.2 0 0"/>
        <tendon tendon1="pair" polycoef="0.1 0 0 0 0"/>
        <tendon tendon1="long" tendon2="short" polycoef="0.1 0.5 0.2 0 0"/>
        </equality>"""
        + ACTUATORS,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_stages_are_the_derivative_of_the_whole_step(name):
    """Few models with many features each: what costs time is to compile them."""
    assert_stages_are_the_derivative_of_the_whole_step(task_of(MODELS[name]))


def test_what_the_stages_do_not_know_is_named():
    assert obstacle(mujoco.MjModel.from_xml_string(xml(body(), 'integrator="RK4"'))) == "integrator RK4"
    assert obstacle(mujoco.MjModel.from_xml_string(xml(body(), 'wind="1 0 0"'))) == "wind"


def test_a_free_joint_moves_its_rotation_by_its_translation_and_not_the_other_way_round():
    tree = Tree.of(mujoco.MjModel.from_xml_string(xml(FREE.format(height="1", contact=""))))
    np.testing.assert_array_equal(tree.before, np.kron([[0, 0], [1, 0]], np.ones((3, 3), bool)))
    np.testing.assert_array_equal(tree.axis_moved, np.kron([[1, 0], [1, 1]], np.ones((3, 3), bool)))
    np.testing.assert_array_equal(tree.body_moved.all(axis=1), [False, True])
