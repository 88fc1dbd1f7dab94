"""The structural bound: tight where the answer is known by hand, and never below a Jacobian."""

import mujoco
import numpy as np
import pytest

from dynamic_sparsity.simulation.jacobian import jacobian_of
from dynamic_sparsity.simulation.structure import structure_of
from tests.helpers.models import CURVED_ACTUATORS, NOWHERE, body, one_by_one, task_of, xml
from tests.helpers.reference import warmed_up

PENDULUMS = """<mujoco><option timestep="0.01" {option}/><worldbody>
<site name="world" pos="0 0 2"/>
<body name="first" pos="0 0 1"><joint name="a" axis="0 1 0" {joint}/>
  <geom name="ga" size="0.1" pos="0.2 0.02 0" {geom}/><site name="sa" pos="0.2 0 0.1"/></body>
<body name="second" pos="0 {apart} 1"><joint name="b" axis="0 1 0" {joint}/>
  <geom name="gb" size="0.1" pos="0.25 0.01 0.1" {geom}/><site name="sb" pos="0.2 0 0.1"/></body>
</worldbody>{more}
<actuator><motor joint="a"/><general joint="b" dyntype="filter" dynprm="0.05" gainprm="2"/></actuator></mujoco>"""
"""Two pendulums: states qpos:a, qpos:b, qvel:a, qvel:b and the activation of b's actuator; two controls."""
ALONE = np.array(
    [
        [1, 0, 1, 0, 0, 1, 0],
        [0, 1, 0, 1, 1, 0, 1],
        [1, 0, 1, 0, 0, 1, 0],
        [0, 1, 0, 1, 1, 0, 1],
        [0, 0, 0, 0, 1, 0, 1],
    ],
    bool,
)
TOGETHER = np.vstack([np.ones((4, 7), bool), ALONE[4:]])
LIMITED = 'limited="true" range="-0.3 0.3"'
JOINED = {
    "a contact": {"geom": 'contype="1" conaffinity="1"'},
    "an equality of joints": {"more": '<equality><joint joint1="a" joint2="b"/></equality>'},
    "a weld of bodies": {"more": '<equality><weld body1="first" body2="second"/></equality>'},
    "a connection of sites": {"more": '<equality><connect site1="sa" site2="sb"/></equality>'},
    "a tendon of joints": {
        "more": '<tendon><fixed stiffness="1"><joint joint="a" coef="1"/><joint joint="b" coef="2"/></fixed></tendon>'
    },
    "a tendon of sites": {"more": '<tendon><spatial stiffness="1"><site site="sa"/><site site="sb"/></spatial></tendon>'},
}


def pendulums(option="", joint="", geom='contype="0" conaffinity="0"', more="", apart=0.3):
    return PENDULUMS.format(option=option, joint=joint, geom=geom, more=more, apart=apart)


def bound(text, method="exact"):
    return structure_of(mujoco.MjModel.from_xml_string(text), method)


def test_pendulums_that_nothing_joins_are_two_blocks():
    for entries in bound(pendulums()):
        np.testing.assert_array_equal(entries, ALONE)


@pytest.mark.parametrize("link", JOINED)
def test_what_passes_a_force_joins(link):
    for entries in bound(pendulums(**JOINED[link])):
        np.testing.assert_array_equal(entries, TOGETHER)


def test_a_tendon_of_one_pendulum_and_a_disabled_contact_join_nothing():
    own = '<tendon><spatial stiffness="1"><site site="world"/><site site="sa"/></spatial></tendon>'
    np.testing.assert_array_equal(bound(pendulums(more=own)).possible, ALONE)
    off = '<flag contact="disable"/>'
    text = pendulums(**JOINED["a contact"]).replace("/><worldbody>", f">{off}</option><worldbody>")
    np.testing.assert_array_equal(bound(text).possible, ALONE)


def test_limits_join_only_through_the_solver_s_step_length():
    limited = bound(pendulums(joint=LIMITED))
    np.testing.assert_array_equal(limited.joined, ALONE)
    np.testing.assert_array_equal(limited.possible, TOGETHER)
    np.testing.assert_array_equal(bound(pendulums(joint=LIMITED), "implicit").possible, ALONE)


def test_without_actuation_controls_reach_no_degree_of_freedom():
    text = pendulums().replace("/><worldbody>", '><flag actuation="disable"/></option><worldbody>')
    np.testing.assert_array_equal(bound(text).possible[:4, 4:], np.zeros((4, 3), bool))


def jacobians(task, method):
    """Jacobians along a rollout of the C engine."""
    return np.asarray(one_by_one(jacobian_of(task, method))(warmed_up(task, 60, keep=20)).jacobian)


def ever_nonzero(matrices):
    assert np.isfinite(matrices).all()
    return (np.abs(matrices) >= 1e-12).any(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ALONE),
        (JOINED["a tendon of sites"], TOGETHER),
        ({"joint": LIMITED, "option": 'iterations="1" ls_iterations="2"'}, TOGETHER),
    ],
    ids=["apart", "tendon", "limits"],
)
def test_the_bound_is_what_jacobians_reach(changes, expected):
    """Every entry that the bound allows is non-zero at some step, and no other entry ever is."""
    task = task_of(pendulums(**changes))
    np.testing.assert_array_equal(ever_nonzero(jacobians(task, "exact")), expected)
    np.testing.assert_array_equal(structure_of(task.model, "exact").possible, expected)


@pytest.mark.slow
def test_a_solution_never_leaves_its_bound():
    """Where the solver's iterations join two pendulums at their limits, its solution does not."""
    task = task_of(pendulums(joint=LIMITED, option='iterations="1" ls_iterations="2"'))
    reached = ever_nonzero(jacobians(task, "implicit"))
    assert (reached <= ALONE).all() and reached.sum() >= ALONE.sum() - 2, "the first pendulum rests on its limit"


def test_an_arm_and_a_free_body_are_apart_without_contacts():
    """`tests.helpers.models` compares the Jacobians of such models with the bound."""
    model = mujoco.MjModel.from_xml_string(xml(body(collisions=NOWHERE), more=CURVED_ACTUATORS))
    arm, free = slice(0, 5), slice(5, 11)
    joined = structure_of(model, "implicit").joined
    assert joined[arm, arm].all() and joined[free, free].all()
    assert not joined[arm, free].any() and not joined[free, arm].any()
    assert structure_of(model, "exact").possible[arm, free].all(), "the tendon has a limit"
