"""Rendering: which back end is chosen, and frames of the right steps with the targets where the episode had them."""

import sys

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.runtime import rendering
from dynamic_sparsity.settings.frames import FrameSettings
from dynamic_sparsity.simulation.frames import frames_along, render
from dynamic_sparsity.simulation.tasks import load_task
from tests.conftest import BACK_END

SETTINGS = FrameSettings(count=3, size=32)


@pytest.fixture
def working(monkeypatch):
    """Sets which back ends can render and returns the chosen one."""
    monkeypatch.delitem(sys.modules, "mujoco")

    def only(*names, users_choice=None):
        monkeypatch.setattr(rendering, "_renders", lambda name: name in names)
        monkeypatch.setenv("MUJOCO_GL", users_choice) if users_choice else monkeypatch.delenv("MUJOCO_GL", raising=False)
        return rendering.choose_back_end()

    return only


def test_the_first_back_end_that_renders_is_chosen_and_the_users_own_comes_first(working):
    assert working("egl", "osmesa") == "egl"
    assert working("osmesa") == "osmesa"
    assert working("egl", "glfw", users_choice="glfw") == "glfw"
    assert working("egl", users_choice="glfw") == "egl"
    assert working() is None


def test_it_must_be_chosen_before_mujoco_is_imported():
    with pytest.raises(RuntimeError, match="before mujoco"):
        rendering.choose_back_end()


def episode(task, steps):
    qpos = np.linspace(-0.3, 0.3, steps * task.model.nq, dtype=np.float32).reshape(steps, task.model.nq)
    mocap = np.zeros((task.model.nmocap, 3), np.float32)
    return xr.Dataset({"qpos": (("time", "qpos_dim"), qpos), "mocap_pos": (("mocap", "axis"), mocap)})


def test_without_a_back_end_there_are_no_frames():
    task = load_task("FingerTurnEasy")
    frames = frames_along(task, episode(task, 9), np.arange(2, 9), SETTINGS, None)
    assert frames.image.shape == (0, 32, 32, 3) and frames.step.shape == (0,)


@pytest.fixture(scope="module")
def renderer():
    """Skips the test if nothing can render."""
    if BACK_END is None:
        pytest.skip("nothing renders here: neither EGL nor OSMesa")


def test_frames_are_those_of_the_sequence(renderer):
    task = load_task("FingerTurnEasy")
    frames = frames_along(task, episode(task, 9), np.array([3, 2, 4, 6, 5]), SETTINGS, "any")
    assert frames.step.values.tolist() == [2, 4, 6] and frames.image.dtype == np.uint8
    assert all(image.std() > 0 for image in frames.image.values), "something is to be seen"
    assert (frames.image[0] != frames.image[2]).any()


def test_targets_are_drawn_where_the_episode_had_them(renderer):
    task = load_task("FingerTurnEasy")
    first, second = (render(task, np.zeros((1, 3)), np.array([[x, 0.0, 0.4]]), 64) for x in (0.0, 0.2))
    assert (first != second).any()
