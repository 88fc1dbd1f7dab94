"""Jacobians against central differences of the same step and against MuJoCo's C engine, at warmed-up states."""

from functools import cache

import mujoco
import numpy as np
import pytest

from dynamic_sparsity.settings.jacobians import Method
from dynamic_sparsity.simulation.chunks import join_chunks, recorded_chunks
from dynamic_sparsity.simulation.constraints import Constraints
from dynamic_sparsity.simulation.differentiate import Differentiator
from dynamic_sparsity.simulation.tasks import load_task, with_converged_solver
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition
from tests.helpers.models import one_by_one
from tests.helpers.reference import central_differences, chained_transition_fd, set_state, warmed_up

# Errors are relative to 1 + the largest entry of the row. Central differences with eps = 1e-6 in float64 err by about
# eps^2 |f'''| + 1e-16 |f| / eps = 1e-10 |f|; stiff contacts have third derivatives in the millions. Measured: 2e-6 on
# HumanoidWalk (10 and more loaded constraints), 5e-9 elsewhere.
TOLERANCE = {"HumanoidWalk": 1e-5}
DEFAULT_TOLERANCE = 1e-7
TRUTH_TASKS: dict[str, Method] = {
    "CheetahRun": "unrolled",
    "FingerSpin": "unrolled",
    "BallInCup": "unrolled",
    "FishSwim": "exact",
    "HumanoidWalk": "exact",
}
"""Tasks and the method that is compared; test_exact.py compares `exact` on two more tasks."""


@cache
def differentiated(name):
    """Twelve steps early and late in a rollout of the C engine, and their Jacobians."""
    task = load_task(name)
    start = Recorded(*(np.concatenate(parts) for parts in zip(warmed_up(task, 30), warmed_up(task, 120), strict=True)))
    return task, start, Differentiator(task, TRUTH_TASKS[name])(start)


def stepper(task):
    """This package's step in float64, without derivatives."""
    transition = Transition(task)
    step = one_by_one(lambda start: transition(start)[0])

    def chunkwise(start):  # chunks of one size, for which one program is compiled
        pieces = [step(Recorded(*chunk)) for chunk in recorded_chunks(start)]
        return NextState(*join_chunks(pieces, len(start.qpos)))

    return chunkwise


def relative_error(jacobian, reference):
    """Largest error of any entry, relative to 1 + the largest entry of its row."""
    return (np.abs(jacobian - reference) / (1 + np.abs(jacobian).max(1, keepdims=True))).max()


def test_the_states_are_where_it_matters():
    _, _, cheetah = differentiated("CheetahRun")
    assert cheetah.activity.loaded.any(1).sum() >= 2, "the cheetah touches the ground"
    _, _, ball = differentiated("BallInCup")
    assert ball.activity.loaded.any(1).any() and not ball.activity.loaded.any(1).all(), "the string is taut and slack"
    _, _, finger = differentiated("FingerSpin")
    assert finger.activity.loaded.any(1).sum() >= 3
    _, _, humanoid = differentiated("HumanoidWalk")
    assert humanoid.activity.loaded.sum(1).max() >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTH_TASKS)
def test_central_differences_of_the_same_step(name):
    task, start, result = differentiated(name)
    step = stepper(task)
    for k in range(len(start.qpos)):
        reference = central_differences(task, [array[k] for array in start], step)
        assert relative_error(result.jacobian[k], reference) < TOLERANCE.get(name, DEFAULT_TOLERANCE), f"step {k}"
        false_zeros = (np.abs(result.jacobian[k]) < 1e-12) & (np.abs(reference) > 1e-6)
        false_nonzeros = (np.abs(result.jacobian[k]) > 1e-5) & (np.abs(reference) < 1e-9)
        assert not (false_zeros | false_nonzeros).any(), f"step {k}: {np.argwhere(false_zeros | false_nonzeros)}"


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTH_TASKS)
def test_chained_differences_of_the_c_engine(name):
    """Of FingerSpin only free steps compare: its two solver iterations do not converge and differ between C and MJX."""
    task, start, result = differentiated(name)
    compared = 0
    for k in range(len(start.qpos)):
        if name == "FingerSpin" and result.activity.active[k].any():
            continue
        reference = chained_transition_fd(task, [array[k] for array in start])
        assert relative_error(result.jacobian[k], reference) < TOLERANCE.get(name, DEFAULT_TOLERANCE), f"step {k}"
        compared += 1
    assert compared >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CartpoleBalance", "FingerSpin", "BallInCup"])
def test_implicit_is_the_derivative_of_the_converged_step(name):
    """Joint limits, contacts and a tendon limit; `unrolled` would fail on FingerSpin, which needs no iterations."""
    task = with_converged_solver(load_task(name))
    start = warmed_up(task, 30)
    result = Differentiator(load_task(name), "implicit", "converged")(start)
    step = stepper(task)
    for k in range(len(start.qpos)):
        reference = central_differences(task, [array[k] for array in start], step)
        assert relative_error(np.asarray(result.jacobian[k]), reference) < 1e-6, f"step {k}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "solver"),
    [("CheetahRun", "playground"), ("CartpoleBalance", "converged")],
)
def test_implicit_is_unrolled_where_the_solver_converges(name, solver):
    task = load_task(name)
    start = Recorded(*(np.concatenate(parts) for parts in zip(warmed_up(task, 30), warmed_up(task, 120), strict=True)))
    unrolled, implicit = (Differentiator(task, method, solver)(start) for method in ("unrolled", "implicit"))
    for k in range(len(start.qpos)):
        assert relative_error(implicit.jacobian[k], unrolled.jacobian[k]) < 1e-6, f"step {k}"
        assert ((np.abs(implicit.jacobian[k]) < 1e-12) == (np.abs(unrolled.jacobian[k]) < 1e-12)).all(), f"step {k}"
    np.testing.assert_array_equal(implicit.activity.loaded, unrolled.activity.loaded)


@pytest.mark.slow
def test_at_rest_the_stopped_solver_has_a_slope_that_no_finite_step_sees():
    """Friction loss holds FingerSpin's spinner: within 1e-11 of rest the solver stops at once (docs/method.md)."""
    task = load_task("FingerSpin")
    start = warmed_up(task, 30)
    hinge = task.coordinates.state_labels.index("qvel:hinge")
    resting = start._replace(qvel=start.qvel * [1, 1, 0], qacc_warmstart=start.qacc_warmstart * [1, 1, 0])
    free = ~Differentiator(task, "unrolled")(resting).activity.active.any(axis=1)
    resting = Recorded(*(part[free] for part in resting))
    assert len(resting.qpos) >= 2
    step = stepper(task)
    unrolled, implicit = (Differentiator(task, method)(resting).jacobian for method in ("unrolled", "implicit"))
    for k in range(len(resting.qpos)):
        reference = central_differences(task, [array[k] for array in resting], step)
        assert relative_error(implicit[k], reference) < 1e-6, f"step {k}"
        assert unrolled[k, hinge, hinge] > 100 > 1 > reference[hinge, hinge], f"step {k}"
    np.testing.assert_array_equal(np.abs(unrolled) < 1e-12, np.abs(implicit) < 1e-12)


@pytest.mark.slow
def test_finite_gives_what_the_other_methods_give():
    task, start, unrolled = differentiated("CheetahRun")
    finite = Differentiator(task, "finite")(start)
    for k in range(len(start.qpos)):
        assert relative_error(finite.jacobian[k], unrolled.jacobian[k]) < DEFAULT_TOLERANCE, f"step {k}"
    for state, reference in zip(finite.next_state, unrolled.next_state, strict=True):
        np.testing.assert_allclose(state, reference, atol=1e-9)
    np.testing.assert_array_equal(finite.activity.loaded, unrolled.activity.loaded)


@pytest.mark.slow
def test_fingers_contacts_against_the_c_engine_with_a_converged_solver():
    """MJX's capsule routines place the fingertip's contact 1e-4 from C's; the Jacobians agree to that extent."""
    task = with_converged_solver(load_task("FingerSpin"))
    start = warmed_up(task, 30)
    result = Differentiator(load_task("FingerSpin"), "implicit", "converged")(start)
    contacts = [k for k in range(len(start.qpos)) if np.asarray(result.activity.loaded[k]).any()]
    assert len(contacts) >= 3
    for k in range(len(start.qpos)):
        reference = chained_transition_fd(task, [array[k] for array in start])
        tolerance = 5e-4 if k in contacts else DEFAULT_TOLERANCE
        assert relative_error(np.asarray(result.jacobian[k]), reference) < tolerance, f"step {k}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "zeros", "columns"),
    [
        ("CheetahRun", "unrolled", 17, ["qpos:rootx"]),
        ("SwimmerSwimmer6", "implicit", 30, ["qpos:rootx", "qpos:rooty"]),
        ("ReacherHard", "implicit", 3, ["qpos:shoulder"]),
    ],
)
def test_known_zeros_on_random_rollouts(name, method, zeros, columns):
    """The paper's Table 1: (state - 1) zeros for each coordinate that the dynamics do not depend on."""
    task = load_task(name)
    start = Recorded(*(np.concatenate(p) for p in zip(*(warmed_up(task, 200, s, keep=96) for s in (1, 2)), strict=True)))
    jacobian = Differentiator(task, method)(start).jacobian
    always = (np.abs(jacobian) < 1e-12).all(0)
    assert always.sum() == zeros
    labels = task.coordinates.input_labels
    assert {labels[column] for column in np.argwhere(always)[:, 1]} == set(columns)


@pytest.mark.parametrize("name", ["CheetahRun", "BallInCup", "HumanoidWalk"])
def test_activity_is_that_of_the_c_engine(name):
    task, start, result = differentiated(name)
    constraints = Constraints.of(task.model)
    model, data = task.model, mujoco.MjData(task.model)
    pair_number = {frozenset(pair.tolist()): i for i, pair in enumerate(constraints.pairs)}
    limits = {label: i for i, label in enumerate(constraints.labels)}
    for k in range(len(start.qpos)):
        set_state(data, *(array[k] for array in start))
        expected = np.zeros(len(constraints.labels), bool)
        for _ in range(task.substeps):
            mujoco.mj_step1(model, data)
            for contact in data.contact:
                if contact.dist < contact.includemargin:
                    expected[pair_number[frozenset(contact.geom.tolist())]] = True
            for kind, number in zip(data.efc_type, data.efc_id, strict=True):
                if kind == mujoco.mjtConstraint.mjCNSTR_LIMIT_JOINT:
                    expected[limits[f"joint_limit:{model.joint(number).name}"]] = True
                elif kind == mujoco.mjtConstraint.mjCNSTR_LIMIT_TENDON:
                    expected[limits[f"tendon_limit:{model.tendon(number).name}"]] = True
            mujoco.mj_step2(model, data)
        np.testing.assert_array_equal(result.activity.active[k], expected, err_msg=f"step {k}")
        assert not (result.activity.loaded[k] & ~expected).any(), "what carries a force is active"


def test_a_step_is_differentiated_alike_wherever_it_stands():
    task, start, together = differentiated("BallInCup")
    part = Differentiator(task, "unrolled")(Recorded(*(array[7:10] for array in start)))
    np.testing.assert_array_equal(part.jacobian, together.jacobian[7:10])


@pytest.mark.parametrize("method", ["unrolled", "implicit", "finite"])
@pytest.mark.parametrize("field", ["qvel", "ctrl"])
def test_what_is_not_a_number_gives_no_zeros_and_no_crash(method, field):
    task = load_task("CartpoleBalance")
    start = warmed_up(task, 30)
    second = np.arange(len(start.qpos))[:, None] == 1
    broken = start._replace(**{field: np.where(second, np.nan, getattr(start, field))})
    result = Differentiator(task, method)(broken)
    assert not np.isfinite(result.jacobian[1]).all() and np.isnan(result.next_state.qvel[1]).any()
    assert np.isfinite(result.jacobian[[0, 2]]).all()


def test_large_batches_give_the_same():
    """An accelerator takes more steps at once than a CPU's chunk has."""
    task = load_task("CartpoleBalance")
    start = Recorded(*(np.concatenate([part] * 3) for part in warmed_up(task, 60, keep=50)))
    small = Differentiator(task, "implicit")(start)
    large = Differentiator(task, "implicit", batch=100)(start)
    np.testing.assert_allclose(large.jacobian, small.jacobian, rtol=1e-12, atol=1e-14)
    assert large.jacobian.shape[0] == 150
