"""Moves of a ball above a floor and of a mass that touches nothing, whose effects are known; sampled steps; deviations."""

import hashlib
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
import xarray as xr
from mujoco import mjx

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.interventions import REFERENCE, InterventionSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.simulation import interventions
from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import Recorded
from dynamic_sparsity.sparsity.interventions import summarise
from dynamic_sparsity.stores.schema import labels
from tests.helpers.reference import moved

DT = 0.01
BALL_AND_MASS = f"""<mujoco><option timestep="{DT}" iterations="50" ls_iterations="50" tolerance="1e-14"/><worldbody>
<geom name="floor" type="plane" size="9 9 0.1" condim="1"/>
<body><joint name="z" type="slide" axis="0 0 1"/><joint name="x" type="slide" axis="1 0 0"/>
  <geom size="0.15" mass="1" condim="1"/></body>
<body pos="0 3 9"><joint name="mass" type="slide" axis="0 1 0"/>
  <geom size="0.1" mass="2" contype="0" conaffinity="0"/></body>
</worldbody><actuator><motor joint="mass" gear="4" ctrllimited="true" ctrlrange="-1 1"/></actuator></mujoco>"""
SETTINGS = InterventionSettings(steps=4)
HEIGHT, X, MASS = 0, 1, 2
QVEL_Z, QVEL_MASS, CTRL = 3, 5, 6


def ball_task():
    model = mujoco.MjModel.from_xml_string(BALL_AND_MASS)
    environment = SimpleNamespace(mj_model=model, mjx_model=mjx.put_model(model, impl="jax"), n_substeps=1)
    return Task(f"ball-{hashlib.sha256(BALL_AND_MASS.encode()).hexdigest()[:16]}", environment)


TASK = ball_task()
DEFAULT_QPOS = np.array([[[0.6, 0.0, 0.0], [0.6, 2.0, 2.0]], [[2.6, 0.0, 2.0], [2.6, 2.0, 0.0]]])
"""Two episodes of two steps: the ball 0.45 above the floor, then 2.45; every deviation is 1."""


def rollouts(qpos=DEFAULT_QPOS):
    """A rollout store of the ball, which is at rest, and the mass, which moves at 1 or 3 under a control of 0.8 or 0.4."""
    velocity, still = np.zeros((2, 2, 3)), np.zeros((2, 2, 0))
    velocity[..., MASS] = [[1, 3], [3, 1]]
    ctrl = np.array([[[0.8], [0.4]], [[0.4], [0.8]]])
    after = velocity + DT * np.array([-9.81, 0, 0]) + DT * 4 / 2 * ctrl * np.array([0, 0, 1])
    arrays = {"qpos": qpos, "qvel": velocity, "act": still, "qacc_warmstart": 0 * velocity, "ctrl": ctrl}
    arrays |= {"next_qpos": qpos + DT * after, "next_qvel": after, "next_act": still}
    variables = {name: (("episode", "time", f"{name}_dim"), array) for name, array in arrays.items()}
    return xr.Dataset({**variables, "length": ("episode", [2, 2])}, attrs={"task": TASK.name, "policy": "noise", "seed": 0})


def jacobians(free=True):
    """Semi-implicit Euler without forces but the control's: v' = v + dt gear / mass u, q' = q + dt v'."""
    matrix = np.eye(6, 7) + DT * np.eye(6, 7, k=3) * (np.arange(6) < 3)[:, None]
    matrix[MASS, CTRL], matrix[QVEL_MASS, CTRL] = DT * DT * 4 / 2, DT * 4 / 2
    coordinates = TASK.coordinates
    return xr.Dataset(
        {
            "jacobian": (("episode", "time", "out_dim", "in_dim"), np.broadcast_to(matrix, (2, 2, 6, 7))),
            "constraint_active": (("episode", "time", "constraint"), np.full((2, 2, 1), not free)),
        },
        {
            "out_dim": labels(coordinates.state_labels),
            "in_dim": labels(coordinates.input_labels),
            "constraint": labels(["contact:floor/ball"]),
            "constraint_kind": ("constraint", labels(["contact"])),
        },
    )


@pytest.fixture(scope="module")
def effects():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interventions, "load_task", lambda name: TASK)
        (seed,) = interventions.repeated_with_moves([rollouts()], [jacobians()], SETTINGS, "playground")
    return seed


def change_of(effects, size, direction, output, moved_input, episode=0, sample=0):
    chosen = effects.change.sel(size=size, direction=direction).isel(episode=episode, sample=sample)
    return chosen.transpose("out_dim", "in_dim").values[output, moved_input]


def test_a_ball_above_a_floor_feels_it_only_once_a_move_reaches_it(effects):
    """The derivative of its velocity by its height is 0; a move by 0.5 reaches through the gap of 0.45."""
    for size, reaches in ((REFERENCE, False), (0.1, False), (0.5, True), (1.0, True)):
        down, up = (change_of(effects, size, direction, QVEL_Z, HEIGHT) for direction in (-1.0, 1.0))
        assert (down > 1e-3) == reaches and abs(up) < 1e-14
        assert abs(change_of(effects, size, -1.0, QVEL_Z, HEIGHT, episode=1)) < 1e-14, "2.45 is too far"


def test_what_touches_nothing_moves_itself_only(effects):
    for size in effects["size"].values:
        for direction in (-1.0, 1.0):
            change = effects.change.sel(size=size, direction=direction).values
            np.testing.assert_allclose(change[..., MASS, MASS], direction * size, rtol=1e-9)
            np.testing.assert_allclose(np.delete(change[..., MASS], MASS, axis=-1), 0, atol=1e-14)
            np.testing.assert_allclose(np.delete(change[..., X], X, axis=-1), 0, atol=1e-12, err_msg="a symmetry")


def test_controls_are_clamped_by_the_simulator_and_inputs_that_never_vary_stay(effects):
    assert effects.input_deviation.values.tolist() == pytest.approx([1, 1, 1, 0, 0, 1, 0.2])
    assert effects.output_deviation.values[QVEL_Z] == 0
    by_control = DT * 4 / 2
    assert change_of(effects, 0.5, 1.0, QVEL_MASS, CTRL) == pytest.approx(by_control * 0.1)
    assert change_of(effects, 1.0, 1.0, QVEL_MASS, CTRL) == pytest.approx(by_control * 0.2), "0.8 + 0.2 is the limit"
    assert change_of(effects, 1.0, -1.0, QVEL_MASS, CTRL) == pytest.approx(-by_control * 0.2)
    assert (effects.change.isel(in_dim=[3, 4]) == 0).all() and (effects.repeat_change == 0).all()
    mover = interventions.Mover(TASK.name, lambda: TASK, SETTINGS.sizes, np.array([0, 0, 0, 0, 0, 0, 5.0]))
    start = Recorded(*(rollouts()[name].values[0, 0] for name in Recorded._fields))
    assert mover(start).change[-1, 1, QVEL_MASS, CTRL] == pytest.approx(by_control * 0.2), "not 5: the range ends at 1"


def test_changes_are_those_of_the_c_engine(effects):
    model, data = TASK.model, mujoco.MjData(TASK.model)
    start = Recorded(*(rollouts()[name].values[0, 0] for name in Recorded._fields))

    def after(column=0, offset=0.0):
        mujoco.mj_resetData(model, data)
        parts = moved(model, start, column, offset)
        data.qpos[:], data.qvel[:], data.act[:], data.qacc_warmstart[:], data.ctrl[:] = parts
        mujoco.mj_step(model, data)
        return np.concatenate([data.qpos, data.qvel])

    for number, size in enumerate(effects["size"].values):
        for side, direction in enumerate((-1.0, 1.0)):
            for column, deviation in enumerate(effects.input_deviation.values):
                expected = after(column, direction * size * deviation) - after()
                found = effects.change.values[0, 0, number, side, :, column]
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_the_summary_names_the_one_entry_that_acts(effects):
    result = summarise([effects], 1e-12, SETTINGS, ResamplingSettings(resamples=20))
    zeros = 5 * 6 - 3 - 2 - 2  # columns of 5 varying inputs, less the positions', and two of the mass's velocity and control
    assert result.entry_zeros.sum(["out_dim", "in_dim"]).values.tolist() == [4 * zeros] * 4
    acting = result.entry_acting.sel(out_dim="qvel:z", in_dim="qpos:z").values
    assert acting.tolist() == [0, 0, 2, 2] == result.entry_acting.sum(["out_dim", "in_dim"]).values.tolist()
    assert result.reached.sel(condition="free").values == pytest.approx([0, 0, 0.5 / zeros, 0.5 / zeros])
    assert float(result.error_90.sel(size=REFERENCE)) < 1e-6, "first order"
    assert float(result.repeat_change) == 0 and float(result.near_rounding.max()) == 0


def test_values_that_are_not_finite_have_no_deviation(monkeypatch):
    monkeypatch.setattr(interventions, "load_task", lambda name: TASK)
    qpos = DEFAULT_QPOS.copy()
    qpos[1, 1, 2] = np.nan
    with pytest.raises(UserError, match=r"hold values of qpos that are not finite.* leave this task or policy out"):
        interventions.repeated_with_moves([rollouts(qpos)], [jacobians()], SETTINGS, "playground")
    outside = rollouts(qpos).assign(length=("episode", [2, 1]))
    assert np.isfinite(interventions.deviations([outside], lambda: TASK.coordinates)[0]).all(), "padding is not recorded"


def test_a_step_that_ends_nowhere_changes_nothing_that_counts(monkeypatch, effects):
    entries = effects.copy(deep=True)
    entries.change.values[0, 0, :, 1, QVEL_Z, HEIGHT] = np.inf
    result = summarise([entries], 1e-12, SETTINGS, ResamplingSettings(resamples=20))
    assert result.entry_zeros.sel(out_dim="qvel:z", in_dim="qpos:z").values.tolist() == [3] * 4
    assert result.entry_acting.sum() == 2, "of the other step near the floor"


def test_episodes_and_seeds_without_a_sampled_step_count_nowhere(monkeypatch):
    """Two steps of three seeds with two episodes each: the second episode of the first seed, the last one's first."""
    monkeypatch.setattr(interventions, "load_task", lambda name: TASK)
    few = SETTINGS.model_copy(update={"steps": 2})
    seeds = interventions.repeated_with_moves([rollouts()] * 3, [jacobians()] * 3, few, "playground")
    assert [seed.step.values.tolist() for seed in seeds] == [[[-1], [1]], [[-1], [-1]], [[1], [-1]]]
    result = summarise(seeds, 1e-12, few, ResamplingSettings(resamples=20))
    assert int(result.steps) == 2 and int(result.condition_steps.sel(condition="free")) == 2
    assert result.entry_acting.sum(["out_dim", "in_dim"]).values.tolist() == [0, 0, 1, 1] and float(result.nonfinite) == 0
    assert float(result.repeat_change) == 0


@pytest.mark.parametrize(
    ("lengths", "steps", "expected"),
    [
        ([10, 10], 4, [[2, 7], [2, 7]]),
        ([3, 1, 2], 6, [[0, 1, 2], [0], [0, 1]]),
        ([3, 1, 2], 99, [[0, 1, 2], [0], [0, 1]]),
        ([100, 2, 100], 2, [[50], [], [49]]),
        ([7], 1, [[3]]),
    ],
)
def test_sampled_steps_are_even_over_all_episodes(lengths, steps, expected):
    assert [chosen.tolist() for chosen in interventions.sampled_steps(lengths, steps)] == expected


def test_rotations_deviate_along_their_tangent_whatever_the_sign_of_the_quaternion():
    xml = '<mujoco><worldbody><body><joint name="b" type="ball"/><geom size="1"/></body></worldbody></mujoco>'
    coordinates = Coordinates.of(mujoco.MjModel.from_xml_string(xml))
    angles = np.array([0.0, 0.02, -0.01, 0.03])
    quaternions = np.stack([np.cos(angles / 2), np.sin(angles / 2), 0 * angles, 0 * angles], axis=-1)
    quaternions[2] *= -1
    still = np.zeros((1, 4, 3))
    arrays = {"qpos": quaternions[None], "qvel": still, "act": still[..., :0], "ctrl": still[..., :0]}
    arrays |= {f"next_{name}": arrays[name] for name in ("qpos", "qvel", "act")}
    store = xr.Dataset({n: (("episode", "time", f"{n}_dim"), a) for n, a in arrays.items()}, attrs={"task": "T"})
    inputs, outputs = interventions.deviations([store.assign(length=("episode", [4]))], lambda: coordinates)
    np.testing.assert_allclose(inputs, [angles.std(), 0, 0, 0, 0, 0], rtol=1e-3)
    np.testing.assert_array_equal(inputs, outputs)
