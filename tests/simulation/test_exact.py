"""Method `exact`: the derivative of the step as implemented, whether the constraint solver converges or not."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from mujoco import mjx

from dynamic_sparsity.simulation.differentiate import Differentiator
from dynamic_sparsity.simulation.jacobian import in_closed_form, stagewise_jacobian, transition_jacobian
from dynamic_sparsity.simulation.stagewise import iterations, rotations
from dynamic_sparsity.simulation.structure import structure_of
from dynamic_sparsity.simulation.substep import exact_step
from dynamic_sparsity.simulation.tasks import load_task
from dynamic_sparsity.simulation.transition import Recorded, Transition
from tests.helpers.models import ARM, CURVED_ACTUATORS, NOWHERE, body, one_by_one, task_of, xml
from tests.helpers.reference import central_differences, chained_transition_fd, warmed_up

HOPPER = """<mujoco><option timestep="0.01" iterations="1" ls_iterations="3"/>
<default><joint damping="0.1" frictionloss="0.3"/></default>
<worldbody>
  <geom name="floor" type="plane" size="5 5 0.1" contype="1" conaffinity="1" condim="3"/>
  <body pos="0 0 0.18">
    <joint name="lift" type="slide" axis="0 0 1" frictionloss="0"/>
    <joint name="shoulder" axis="0 1 0" range="-20 20" limited="true"/>
    <geom type="capsule" fromto="0 0 0 0.2 0 0" size="0.03" contype="0" conaffinity="0"/>
    <body pos="0.2 0 0">
      <joint name="elbow" axis="0 1 0.2" range="-60 10" limited="true"/>
      <geom type="capsule" fromto="0 0 0 0.15 0 -0.1" size="0.03" contype="1" conaffinity="1"/>
    </body>
  </body>
</worldbody>
<actuator><motor joint="shoulder"/><position joint="elbow" kp="5" kv="0.2"/></actuator></mujoco>"""
"""Contacts, joint limits and friction loss, and a solver that is stopped early."""


def states_of(task, count=60):
    """Steps along rollouts of the C engine, and the same at velocities at which the solver does not converge."""
    calm = warmed_up(task, count, keep=count)
    kick = np.random.default_rng(1).normal(size=calm.qvel.shape) * [[3.0]]
    kicked = calm._replace(qvel=calm.qvel + kick)
    # Leaves out the first step: tendons' springs are at rest there, where automatic differentiation finds no slope.
    return Recorded(*(np.concatenate([a[1::5], b[1::5]]) for a, b in zip(calm, kicked, strict=True)))


@pytest.mark.slow
def test_the_closed_form_is_automatic_differentiation_of_the_same_choice():
    """Both differentiate the solution in substeps that converged, and MJX's own iterations in the others."""
    converged = assert_the_closed_form_is_automatic_differentiation(task_of(HOPPER))
    assert converged.any() and not converged.all(), "the steps are of both kinds"


def assert_the_closed_form_is_automatic_differentiation(task):
    """Asserts equal Jacobians and zeros; returns in which steps the solver converged, which must not be all."""
    assert in_closed_form(task, "exact")
    start = states_of(task)
    stages = one_by_one(stagewise_jacobian(task, iterations=True))(start)
    automatic = one_by_one(transition_jacobian(Transition(task, exact_step)))(start)
    converged = np.asarray(stages.activity.converged)
    assert not converged.all()
    largest = np.abs(automatic.jacobian).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(stages.jacobian / largest, automatic.jacobian / largest, rtol=0, atol=1e-10)
    zeros, expected_zeros = (np.abs(np.asarray(result.jacobian)) < 1e-12 for result in (stages, automatic))
    np.testing.assert_array_equal(zeros, expected_zeros)
    assert zeros[:, ~structure_of(task.model, "exact").possible].all()
    return converged


def mjx_step(task):
    """The control step (time first) from `mjx.step` alone, without any code of this package."""
    blank = mjx.make_data(task.model, impl="jax")
    integers = ("ten_wrapadr", "ten_wrapnum", "wrap_obj")  # MJX returns them as int64, which a loop refuses

    def control_step(recorded):
        data = blank.replace(**recorded._asdict())

        def substep(_, data):
            after = mjx.step(task.mjx_model, data)
            return after.tree_replace(
                {f"_impl.{name}": getattr(after._impl, name).astype(getattr(blank._impl, name).dtype) for name in integers}
            )

        after = jax.lax.fori_loop(0, task.substeps, substep, data)
        return Recorded(after.qpos, after.qvel, after.act, recorded.qacc_warmstart, recorded.ctrl)

    step = one_by_one(control_step)
    return lambda start: jax.tree.map(np.asarray, step(start))


def steps_of(name):
    """Steps like recorded ones; in half of those of FingerSpin the spinner is at rest, held by its friction."""
    start = warmed_up(load_task(name), 120, keep=40)
    if name != "FingerSpin":
        return start
    moving = np.where(np.arange(40)[:, None] % 2, 1, [[1, 1, 0]])
    return start._replace(qvel=start.qvel * moving, qacc_warmstart=start.qacc_warmstart * moving)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old"), [("FingerSpin", "unrolled"), ("BallInCup", "implicit")])
def test_exact_is_the_derivative_of_the_step_where_an_old_method_is_not(name, old):
    """Measures the largest error over the largest entry, against central differences, at smooth steps."""
    task, start = load_task(name), steps_of(name)
    results = {method: Differentiator(task, method)(start) for method in ("exact", old)}
    step = mjx_step(task)
    errors = {method: [] for method in results}
    for k in range(len(start.qpos)):
        recorded = [part[k] for part in start]
        narrow, wide = (central_differences(task, recorded, step, width) for width in (1e-6, 1e-5))
        if np.abs(narrow - wide).max() < 1e-3 * np.abs(narrow).max():
            for method, result in results.items():
                errors[method].append(np.abs(result.jacobian[k] - narrow).max() / np.abs(narrow).max())
    assert len(errors["exact"]) >= 30
    assert max(errors["exact"]) < 1e-3 and np.median(errors["exact"]) < 1e-6
    assert np.mean(np.array(errors[old]) > 0.01) > 0.1, "the states are such that the old method fails"


@pytest.mark.slow
def test_differences_say_which_steps_are_rough_and_are_what_the_test_says():
    task = load_task("BallInCup")
    start = warmed_up(task, 40, keep=12)
    result = Differentiator(task, "differences")(start)
    assert result.roughness is not None
    step = mjx_step(task)
    for k in range(len(start.qpos)):
        narrow, wide = (central_differences(task, [part[k] for part in start], step, width) for width in (1e-6, 1e-5))
        largest = np.abs(narrow).max()
        np.testing.assert_allclose(result.jacobian[k], narrow, atol=1e-7 * largest, err_msg=f"step {k}")
        np.testing.assert_allclose(result.roughness[k], np.abs(narrow - wide).max() / largest, atol=1e-7)


@pytest.mark.slow
def test_a_step_is_differentiated_alike_whatever_its_neighbours_need():
    """Steps whose solver did not converge are differentiated again together; results do not depend on the others."""
    task = load_task("FingerSpin")
    start = warmed_up(task, 120, keep=60)
    differentiate = Differentiator(task, "exact")
    together = differentiate(start)
    unconverged = np.flatnonzero(~together.activity.converged)
    assert 2 <= len(unconverged) < 60
    step = unconverged[1]
    alone = differentiate(Recorded(*(part[step : step + 1] for part in start)))
    np.testing.assert_array_equal(alone.jacobian[0], together.jacobian[step])
    implicit = Differentiator(task, "implicit")(start)
    np.testing.assert_array_equal(
        together.jacobian[together.activity.converged], implicit.jacobian[together.activity.converged]
    )
    assert not np.array_equal(together.jacobian[step], implicit.jacobian[step])


RESTING = xml(
    body(height="0.5", collisions=NOWHERE).replace('type="ball"', 'type="ball" stiffness="3"'),
    more='<tendon><fixed stiffness="2"><joint joint="slide" coef="1"/><joint joint="hinge" coef="-0.5"/></fixed></tendon>',
)


def at_rest(model, speed=0.0):
    still = np.full((1, model.nv), speed)
    return Recorded(model.qpos0[None], still, np.zeros((1, model.na)), np.zeros((1, model.nv)), np.zeros((1, model.nu)))


@pytest.mark.slow
def test_rotations_at_rest_have_a_slope():
    """MJX loses the slopes of rotations below 1e-8 (free and ball joints, their springs) and of tendon springs."""
    task = task_of(RESTING)
    start = Recorded(*map(np.concatenate, zip(at_rest(task.model), at_rest(task.model, 1e-9), strict=True)))
    slopes = one_by_one(stagewise_jacobian(task, iterations=True))(start).jacobian
    for k in range(2):
        truth = chained_transition_fd(task, [part[k] for part in start])
        np.testing.assert_allclose(slopes[k], truth, atol=1e-7)
        np.testing.assert_array_equal(np.abs(slopes[k]) < 1e-7, np.abs(truth) < 1e-7)


RK4 = """<mujoco><option timestep="0.01" integrator="RK4" iterations="2" ls_iterations="4" gravity="0 0 0"/><worldbody>
<body><freejoint name="free"/><geom size="0.1" contype="0"/></body>
<body><joint name="hinge" axis="0 0 1" frictionloss="0.5" damping="0.1"/><geom size="0.1" contype="0"/></body>
</worldbody><actuator><motor joint="hinge"/></actuator></mujoco>"""
"""A free body and a hinge; without gravity both stay at rest. The closed form lacks RK4."""


@pytest.mark.slow
def test_at_rest_a_step_of_rk4_that_is_differentiated_as_a_whole_has_slopes():
    """Of the free body's rotation, and of the hinge, which friction holds.

    For the hinge, each of four solves makes the choice: it runs no iteration, and its warm start is no derivative.
    """
    task = task_of(RK4, substeps=1)
    assert not in_closed_form(task, "exact")
    start = at_rest(task.model)
    # Wide differences, as all is linear here: differences of 1e-6 reach later stages as 1e-8, where the solver runs no
    # iteration.
    truth = central_differences(task, [part[0] for part in start], mjx_step(task), 1e-3)
    slopes = one_by_one(transition_jacobian(Transition(task, exact_step)))(start).jacobian[0]
    np.testing.assert_allclose(slopes, truth, atol=1e-6)
    labels = task.coordinates.state_labels
    hinge = labels.index("qvel:hinge")
    assert truth[hinge, hinge] < 0.9, "friction holds it, which a solver without iterations does not show"
    free = [number for number, label in enumerate(labels) if "free" in label]
    first_order = np.block([[np.eye(6), 0.01 * np.eye(6)], [np.zeros((6, 6)), np.eye(6)]])
    np.testing.assert_allclose(slopes[np.ix_(free, free)], first_order, atol=1e-12)


@pytest.mark.slow
def test_the_iterations_of_curved_rows_and_a_ball_joint():
    """Tendons with equality, friction loss and limit, which the hopper lacks; longer steps make it unstable."""
    arm = ARM.format(height="0.3", contact=NOWHERE, ball="")
    more = CURVED_ACTUATORS.replace('"loose"', '"elbow"') + '<equality><connect site1="tip" site2="world"/></equality>'
    stopped = xml(arm, 'timestep="0.002" integrator="implicitfast"', more).replace(
        'iterations="50" ls_iterations="50" tolerance="1e-14"', 'iterations="2" ls_iterations="4"'
    )
    assert_the_closed_form_is_automatic_differentiation(task_of(stopped, substeps=2))


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 9e-3, 1.1e-2, 0.7, 3.0])
def test_slopes_of_rotations_are_those_of_the_exponential(angle):
    """The reference is central differences of scipy's rotations."""
    from scipy.spatial.transform import Rotation

    turn = angle * np.array([0.48, -0.6, 0.64])
    exp, log = Rotation.from_rotvec, lambda rotation: rotation.as_rotvec()
    eps = 1e-6
    columns = {"turned": [], "right": [], "inverse": []}
    for axis in np.eye(3) * eps:
        after = [log(exp(turn).inv() * exp(side * axis) * exp(turn)) for side in (1, -1)]
        columns["turned"].append((after[0] - after[1]) / (2 * eps))
        after = [log(exp(turn).inv() * exp(turn + side * axis)) for side in (1, -1)]
        columns["right"].append((after[0] - after[1]) / (2 * eps))
        after = [log(exp(turn) * exp(side * axis)) for side in (1, -1)]
        columns["inverse"].append((after[0] - after[1]) / (2 * eps))
    slopes = {name: np.array(column).T for name, column in columns.items()}
    for name, slope in (
        ("turned", rotations.turned_by),
        ("right", rotations.right_jacobian),
        ("inverse", rotations.right_jacobian_inverse),
    ):
        np.testing.assert_allclose(slope(jnp.asarray(turn)), slopes[name], atol=2e-9, err_msg=name)


def test_what_the_iterations_do_not_know_is_named():
    assert iterations.obstacle(mujoco.MjModel.from_xml_string(xml(body(), 'solver="CG"'))) == "another solver than Newton's"
    assert iterations.obstacle(mujoco.MjModel.from_xml_string(xml(body(), 'cone="elliptic"'))) == "elliptic cones"
    assert not in_closed_form(task_of(xml(body(), 'cone="elliptic"')), "exact")
