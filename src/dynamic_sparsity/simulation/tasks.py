"""Playground tasks by name, in MJX's jax implementation."""

from __future__ import annotations

import contextlib
import copy
import io
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mujoco
from mujoco import mjx

from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.tasks.names import known_tasks

SOLVER_ITERATIONS, LINE_SEARCH_ITERATIONS = 100, 50
"""MuJoCo's own defaults, where Playground stops after 1 to 4 iterations; MJX stops earlier at the model's tolerance."""


@dataclass(frozen=True)
class Task:
    """A Playground environment with its models and coordinates."""

    name: str
    environment: Any
    """The `mujoco_playground` environment: `reset` and `step`."""

    @property
    def model(self) -> mujoco.MjModel:
        """MuJoCo's model, after Playground's changes to it."""
        return self.environment.mj_model

    @property
    def mjx_model(self) -> mjx.Model:
        """The same model on the device, in the precision of this process."""
        return self.environment.mjx_model

    @property
    def substeps(self) -> int:
        """Physics steps in one control step."""
        return self.environment.n_substeps

    @property
    def control_timestep(self) -> float:
        """Length of one control step, seconds."""
        return float(self.environment.dt)

    @cached_property
    def coordinates(self) -> Coordinates:
        """Names and sizes of state and input."""
        return Coordinates.of(self.model)


@dataclass(frozen=True)
class _ConvergedEnvironment:
    """What `Task` asks of an environment, with a solver of its own."""

    mj_model: mujoco.MjModel
    mjx_model: mjx.Model
    n_substeps: int
    dt: float


def with_converged_solver(task: Task) -> Task:
    """The same task, whose constraint solver goes on until it has converged (or `SOLVER_ITERATIONS`)."""
    model = copy.deepcopy(task.model)
    model.opt.iterations, model.opt.ls_iterations = SOLVER_ITERATIONS, LINE_SEARCH_ITERATIONS
    environment = _ConvergedEnvironment(model, mjx.put_model(model, impl="jax"), task.substeps, task.control_timestep)
    return Task(task.name, environment)


def load_task(name: str) -> Task:
    """Load a task by its Playground registry name; raises UserError for a name that is not one."""
    known_tasks([name])
    _restore_find_body()
    mujoco.set_mju_user_warning(_print_warning)
    with contextlib.redirect_stdout(io.StringIO()):  # Playground prints about optional back ends
        from mujoco_playground import registry
    # Playground's default, "warp", has no derivatives.
    return Task(name, registry.load(name, config_overrides={"impl": "jax"}))


def _print_warning(text: str) -> None:
    """MuJoCo's own handler also leaves MUJOCO_LOG.TXT in the working directory."""
    print(f"MuJoCo: {text}", file=sys.stderr)


def _restore_find_body() -> None:
    """Playground 0.2.0 compares versions as text ("3.17" < "3.3") and then asks for a method that is gone."""
    if not hasattr(mujoco.MjSpec, "find_body"):
        mujoco.MjSpec.find_body = lambda spec, name: spec.body(name)
