"""Finite shifts: exact on small models whose symmetries are known, and equal to plain loops."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from dynamic_sparsity.settings.structure import StructureSettings
from dynamic_sparsity.simulation import symmetry
from dynamic_sparsity.simulation.jacobian import Differentiated
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition
from tests.helpers.models import one_by_one, task_of
from tests.helpers.reference import warmed_up

SETTINGS = StructureSettings(steps=5, translations=[1.0, 10.0], rotations=[0.5, 3.0])
CART = """<mujoco><option timestep="0.01"/><worldbody><body>
<joint name="cart" type="slide" axis="1 0 0" {limit}/><geom size="0.1" contype="0"/>
<body><joint name="pole" axis="0 1 0" damping="0.1"/><geom size="0.1" pos="0 0 0.5" contype="0"/></body></body></worldbody>
<actuator><motor joint="cart" gear="5"/></actuator></mujoco>"""
TURNTABLE = """<mujoco><option timestep="0.01"/><worldbody><body>
<joint name="turn" axis="{axis}"/><geom size="0.1" pos="0.3 0.1 0" contype="0"/>
<body pos="0.3 0 0"><joint name="swing" axis="0 1 0"/><geom size="0.1" pos="0.2 0.1 -0.3" contype="0"/></body></body>
</worldbody></mujoco>"""
FREE = """<mujoco><worldbody><body><joint name="slide" type="slide"/><geom size="0.1"/></body>
<body pos="0 0 3"><freejoint name="free"/><geom size="0.1" pos="0.1 0 0"/></body>
<body pos="0 3 3"><joint name="ball" type="ball"/><geom size="0.1" pos="0.1 0 0"/></body></worldbody></mujoco>"""


def shifted(text):
    """What shifts of each coordinate change at five steps of a rollout of the C engine."""
    task = task_of(text)
    transition = Transition(task)
    step = one_by_one(lambda start: Differentiated(jnp.zeros((0, 0)), *transition(start)))
    start = warmed_up(task, 60, keep=5)
    sizes = symmetry.shifts_of(symmetry.rotations_of(task.model), SETTINGS)
    return symmetry.changes_by_shifts(step, task.model, start, sizes)


@pytest.mark.slow
def test_a_cart_is_free_to_be_anywhere_and_its_pole_is_not():
    found = shifted(CART.format(limit=""))
    assert found.largest[0].max() < 1e-12, "the cart moves by the shift, and nothing else changes"
    assert found.largest[1].max(axis=-1).min() > 1e-3, "gravity acts on the pole"


@pytest.mark.slow
def test_a_limit_ends_a_symmetry_at_the_shifts_that_reach_it():
    found = shifted(CART.format(limit='limited="true" range="-5 5"'))
    near, far = found.largest[0, :2], found.largest[0, 2:]
    assert near.max() < 1e-12 and far.max(axis=-1).min() > 1e-3
    assert found.gained[0].tolist() == [[0], [0], [5], [5]] and (found.gained[1] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "upright"), [("0 0 1", True), ("0.3 0 1", False)])
def test_a_rotation_about_gravity_is_a_symmetry_and_another_is_not(axis, upright):
    found = shifted(TURNTABLE.format(axis=axis))
    assert (np.nanmax(found.largest[0]) < 1e-12) == upright and np.nanmax(found.largest[1]) > 1e-3
    assert (np.nanmin(found.largest[0].max(axis=-1)) > 1e-3) != upright


def test_coordinates_are_lengths_or_angles_and_have_their_shifts():
    rotates = symmetry.rotations_of(mujoco.MjModel.from_xml_string(FREE))
    assert rotates.tolist() == [False, False, False, False, True, True, True, True, True, True]
    sizes = symmetry.shifts_of(rotates, StructureSettings(translations=[2.0], rotations=[0.5, 0.1]))
    np.testing.assert_array_equal(sizes[0], [2, -2, np.nan, np.nan])
    np.testing.assert_array_equal(sizes[4], [0.1, -0.1, 0.5, -0.5])


def states_of_free(count=3):
    """States of FREE at random places and turns."""
    rng = np.random.default_rng(0)
    qpos = rng.normal(size=(count, 12))
    for first in (4, 8):
        qpos[:, first : first + 4] /= np.linalg.norm(qpos[:, first : first + 4], axis=1, keepdims=True)
    return NextState(qpos, rng.normal(size=(count, 10)), np.zeros((count, 0)))


def turn_of(quaternion):
    return Rotation.from_quat(np.roll(quaternion, -1))


@pytest.mark.parametrize(("dof", "shift"), [(0, 10.0), (2, -1.0), (5, 3.0), (8, -0.5)])
def test_a_shift_moves_one_coordinate_and_is_measured_as_that_shift(dof, shift):
    """The reference for turns is scipy's rotations."""
    model, state = mujoco.MjModel.from_xml_string(FREE), states_of_free()
    start = Recorded(*state, np.zeros((3, 10)), np.zeros((3, 0)))
    moved = symmetry.shifted(model, start, dof, shift)
    expected = state.qpos.copy()
    turned = {5: (4, 1), 8: (8, 1)}.get(dof)
    if turned is None:
        expected[:, dof] += shift
    else:
        at, axis = turned
        for row in expected:
            quaternion = (turn_of(row[at : at + 4]) * Rotation.from_rotvec(shift * np.eye(3)[axis])).as_quat()
            row[at : at + 4] = np.roll(quaternion, 1)
    for row, result in zip(expected, moved.qpos, strict=True):
        for at in (4, 8):
            row[at : at + 4] *= np.sign(row[at : at + 4] @ result[at : at + 4])
    np.testing.assert_allclose(moved.qpos, expected, atol=1e-12)
    after = state._replace(qpos=moved.qpos)
    assert symmetry.changes(model, state, after, dof, shift).max() < 1e-12
    own = symmetry.changes(model, state, after, dof, 0.0)
    assert (np.flatnonzero(own.max(axis=0) > 1e-12) == dof).all()


def test_changes_are_those_of_plain_loops():
    model = mujoco.MjModel.from_xml_string(CART.format(limit=""))
    rng = np.random.default_rng(1)
    before, after = (NextState(rng.normal(size=(4, 2)), rng.normal(size=(4, 2)), np.zeros((4, 0))) for _ in range(2))
    result = symmetry.changes(model, before, after, 1, 0.7)
    for step in range(4):
        for out in range(4):
            part, at = ("qpos", out) if out < 2 else ("qvel", out - 2)
            value, other = getattr(before, part)[step, at], getattr(after, part)[step, at]
            change = abs(other - value - (0.7 if out == 1 else 0)) / (1 + abs(value))
            assert result[step, out] == pytest.approx(change, abs=1e-12)


def test_a_step_that_is_not_finite_has_changed():
    model, state = mujoco.MjModel.from_xml_string(CART.format(limit="")), NextState(*np.zeros((3, 2, 2)))
    state = state._replace(act=np.zeros((2, 0)))
    broken = state._replace(qvel=np.array([[0, np.nan], [0, 0]]))
    assert symmetry.changes(model, state, broken, 0, 0.0).tolist() == [[0, 0, 0, np.inf], [0, 0, 0, 0]]


def rollouts(lengths, seed):
    """A rollout store in which every value tells its study seed, episode and step."""
    steps = max(lengths)
    numbers = 1000 * seed + 100 * np.arange(len(lengths))[:, None] + np.arange(steps)
    names = [*Recorded._fields, *(f"next_{name}" for name in NextState._fields)]
    arrays = {name: (("episode", "time", f"{name}_dim"), numbers[..., None]) for name in names}
    return xr.Dataset({**arrays, "length": ("episode", np.array(lengths))}, attrs={"seed": seed})


def test_samples_are_even_over_all_steps_that_count():
    sample = symmetry.sampled([rollouts([10, 3], 1), rollouts([7], 2)], 7)
    expected = [(1, 0, 0), (1, 0, 3), (1, 0, 6), (1, 0, 9), (1, 1, 2), (2, 0, 2), (2, 0, 6)]
    assert [tuple(place) for place in sample.place.tolist()] == expected
    numbers = [1000 * seed + 100 * episode + step for seed, episode, step in expected]
    for part in (*sample.start, *sample.after):
        assert part[:, 0].tolist() == numbers
    assert len(symmetry.sampled([rollouts([2], 0)], 7).place) == 2
