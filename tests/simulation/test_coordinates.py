"""Tangent coordinates against MuJoCo's own integration and differences of positions."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from dynamic_sparsity.simulation.constraints import Constraints
from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.tasks import load_task

BALL_AND_FREE = """
<mujoco>
  <worldbody>
    <body><joint type="slide" name="rail"/><geom size=".1"/>
      <body><joint type="ball" name="socket"/><geom size=".1" pos=".2 0 0"/>
        <body><joint type="hinge"/><geom size=".1" pos=".4 0 0"/></body>
      </body>
    </body>
    <body name="loose"><freejoint name="loose"/><geom size=".1" pos="2 0 0"/></body>
  </worldbody>
  <actuator><motor joint="rail"/><general joint="rail" name="lag" dyntype="filter"/></actuator>
</mujoco>
"""


def random_qpos(model, rng):
    qpos, tangent = model.qpos0.copy(), rng.normal(size=model.nv)
    mujoco.mj_integratePos(model, qpos, tangent, 1.0)
    return qpos


@pytest.fixture(params=["ball and free", "HumanoidWalk", "CheetahRun"])
def model(request):
    if request.param == "ball and free":
        return mujoco.MjModel.from_xml_string(BALL_AND_FREE)
    return load_task(request.param).model


def test_labels():
    labels = load_task("CheetahRun").coordinates
    assert labels.input_labels[0] == "qpos:rootx" and "qvel:bthigh" in labels.state_labels
    assert labels.input_labels[-1] == "ctrl:ffoot" and len(labels.input_labels) == 24
    made_up = Coordinates.of(mujoco.MjModel.from_xml_string(BALL_AND_FREE))
    assert made_up.dofs == (
        *("rail", "socket:rx", "socket:ry", "socket:rz", "joint2"),
        *(f"loose:{suffix}" for suffix in ("tx", "ty", "tz", "rx", "ry", "rz")),
    )
    assert made_up.activations == ("lag",) and made_up.actuators == ("actuator0", "lag")
    assert len(made_up.qpos) == 13 and made_up.quaternions == ((1, 1), (9, 8))


def test_moving_is_integration_to_first_order(model):
    coordinates, rng = Coordinates.of(model), np.random.default_rng(0)
    qpos = random_qpos(model, rng)
    slope = jax.jacfwd(lambda v: coordinates.moved(jnp.asarray(qpos), v))(jnp.zeros(model.nv))
    for dof in range(model.nv):
        ends = []
        for sign in (1, -1):
            end, tangent = qpos.copy(), np.zeros(model.nv)
            tangent[dof] = 1
            mujoco.mj_integratePos(model, end, tangent, sign * 1e-6)
            ends.append(end)
        np.testing.assert_allclose(slope[:, dof], (ends[0] - ends[1]) / 2e-6, atol=1e-9)


def test_differences_undo_moves_and_are_mujocos(model):
    coordinates, rng = Coordinates.of(model), np.random.default_rng(1)
    qpos = random_qpos(model, rng)
    round_trip = jax.jacfwd(lambda v: coordinates.difference(coordinates.moved(jnp.asarray(qpos), v), jnp.asarray(qpos)))
    np.testing.assert_allclose(round_trip(jnp.zeros(model.nv)), np.eye(model.nv), atol=1e-14)
    small, moved_qpos, reference = 1e-7 * rng.normal(size=model.nv), qpos.copy(), np.zeros(model.nv)
    mujoco.mj_integratePos(model, moved_qpos, small, 1.0)
    mujoco.mj_differentiatePos(model, reference, 1.0, qpos, moved_qpos)
    tangent = coordinates.difference(jnp.asarray(moved_qpos), jnp.asarray(qpos))
    np.testing.assert_allclose(tangent, reference, atol=1e-13)


def test_slides_and_hinges_are_their_own_tangent():
    coordinates = load_task("CheetahRun").coordinates
    qpos = jnp.arange(9.0)
    np.testing.assert_array_equal(coordinates.moved(qpos, jnp.zeros(9)), qpos)
    slope = jax.jacfwd(lambda v: coordinates.moved(qpos, v))(jnp.zeros(9))
    np.testing.assert_array_equal(slope, np.eye(9))


def test_constraints_have_names():
    ball = Constraints.of(load_task("BallInCup").model)
    assert "tendon_limit:string" in ball.labels and "contact" in ball.kinds
    assert len(ball.labels) == len(set(ball.labels)) == len(ball.kinds)
    assert Constraints.of(load_task("CartpoleBalance").model).labels == ["joint_limit:slider"]
    assert Constraints.of(load_task("FishSwim").model).labels == []
