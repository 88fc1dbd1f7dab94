"""Small models of MuJoCo's features, and the check that the closed-form stages differentiate them."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx

from dynamic_sparsity.runtime.collection import garbage_collection_paused
from dynamic_sparsity.simulation.jacobian import stagewise_jacobian, transition_jacobian
from dynamic_sparsity.simulation.stagewise.step import obstacle
from dynamic_sparsity.simulation.structure import structure_of
from dynamic_sparsity.simulation.substep import implicit_step
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import Recorded, Transition
from tests.helpers.reference import warmed_up

ARM = """
<body pos="0 0 {height}">
  <joint name="slide" type="slide" axis="1 0 0.2" damping="0.3" stiffness="2" range="-0.02 0.02" limited="true"/>
  <joint name="hinge" type="hinge" axis="0.1 1 0" damping="0.2" frictionloss="0.05"/>
  <geom type="capsule" fromto="0 0 0 0.3 0.02 0" size="0.04" {contact}/>
  <site name="elbow" pos="0.3 0.02 0"/>
  <body pos="0.3 0.02 0">
    <joint name="ball" type="ball" damping="0.1" {ball}/>
    <geom type="capsule" fromto="0 0 0 0.2 0 -0.1" size="0.03" {contact}/>
    <site name="tip" pos="0.2 0 -0.1"/>
  </body>
</body>"""
FREE = """
<body name="free" pos="0.2 0.3 {height}">
  <freejoint name="free"/>
  <geom type="sphere" size="0.05" pos="0.01 0 0" {contact}/>
  <geom type="capsule" fromto="0 0 0 0.1 0.03 0.02" size="0.04" {contact}/>
  <site name="loose"/>
</body>"""


def xml(body, option='timestep="0.005"', more=""):
    """The XML of a model on a floor, whose Newton solver runs to convergence."""
    return f"""<mujoco><option iterations="50" ls_iterations="50" tolerance="1e-14" {option}/>
    <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1" friction="0.8 0.02 0.01" contype="1" conaffinity="3" condim="1"/>
    <site name="world" pos="0 0.2 0.5"/>
    {body}</worldbody>{more}</mujoco>"""


NOWHERE = 'contype="0" conaffinity="0"'
ON_THE_FLOOR = 'contype="2" conaffinity="0"'  # bodies do not touch each other, which compiles in half the time


def body(height="0.05", contact='condim="3"', ball="", collisions=ON_THE_FLOOR):
    """An arm with slide, hinge and ball joint, and a free body."""
    contact = f"{contact} {collisions}"
    return (ARM + FREE).format(height=height, contact=contact, ball=ball)


ACTUATORS = """<actuator>
  <motor joint="hinge" gear="2"/>
  <position joint="slide" kp="20" kv="1"/>
  <general joint="hinge" dyntype="filter" dynprm="0.05" gainprm="3"/>
</actuator>"""
CURVED_ACTUATORS = """<tendon>
  <spatial name="string" limited="true" range="0 0.3" stiffness="1" damping="0.2">
    <site site="world"/><site site="tip"/>
  </spatial>
  <fixed name="pair" frictionloss="0.02"><joint joint="slide" coef="1"/><joint joint="hinge" coef="-0.5"/></fixed>
</tendon>
<actuator>
  <position tendon="string" kp="5" kv="0.5"/>
  <motor site="loose" gear="1 0 0 0 0.2 0"/>
  <general joint="hinge" gaintype="affine" gainprm="1 0.1 0.2" biastype="affine" biasprm="0 -1 -0.1"/>
</actuator>"""


def task_of(text, substeps=3):
    """A task of the model with this XML."""
    model = mujoco.MjModel.from_xml_string(text)
    environment = SimpleNamespace(mj_model=model, mjx_model=mjx.put_model(model, impl="jax"), n_substeps=substeps)
    return Task("model", environment)


def one_by_one(function):
    """`function` of one step, compiled for steps one after the other (time first).

    Tracing takes half as long as for `jax.vmap`, which visits every operation once more.
    """
    steps = jax.jit(lambda start: jax.lax.map(function, start))

    def run(start):
        with garbage_collection_paused():
            return steps(Recorded(*map(jnp.asarray, start)))

    return run


def assert_stages_are_the_derivative_of_the_whole_step(task):
    """Checks states along a rollout of the C engine; some must load constraints; returns the stages' results."""
    assert obstacle(task.model) is None
    start = Recorded(*(part[4::5] for part in warmed_up(task, 60, keep=60)))
    stages = one_by_one(stagewise_jacobian(task))(start)
    automatic = one_by_one(transition_jacobian(Transition(task, implicit_step)))(start)
    np.testing.assert_array_equal(stages.activity.loaded, automatic.activity.loaded)
    assert np.asarray(stages.activity.loaded).any()
    largest = np.abs(automatic.jacobian).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(stages.jacobian / largest, automatic.jacobian / largest, atol=1e-10)
    zeros, expected_zeros = (np.abs(np.asarray(result.jacobian)) < 1e-12 for result in (stages, automatic))
    np.testing.assert_array_equal(zeros, expected_zeros)
    assert zeros[:, ~structure_of(task.model, "implicit").possible].all()
    return stages
