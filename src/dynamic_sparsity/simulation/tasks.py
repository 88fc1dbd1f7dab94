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
"""MuJoCo's own defaults; Playground's tasks stop after 1 to 4 iterations. MJX stops earlier at the model's
tolerance."""


@dataclass(frozen=True)
class Task:
    """A Playground environment with its models and coordinates."""

    name: str
    environment: Any
    """The `mujoco_playground` environment: `reset` and `step`."""

    @property
    def model(self) -> mujoco.MjModel:
        """The MuJoCo model, after Playground's changes to it."""
        return self.environment.mj_model

    @property
    def mjx_model(self) -> mjx.Model:
        """The MJX model, on the device and in the precision of this process."""
        return self.environment.mjx_model

    @property
    def substeps(self) -> int:
        """Physics steps in one control step."""
        return self.environment.n_substeps

    @property
    def control_timestep(self) -> float:
        """Length of one control step in seconds."""
        return float(self.environment.dt)

    @cached_property
    def coordinates(self) -> Coordinates:
        """Names and sizes of state and input."""
        return Coordinates.of(self.model)


@dataclass(frozen=True)
class _ConvergedEnvironment:
    """The attributes of an environment that `Task` reads, with a model whose solver converges."""

    mj_model: mujoco.MjModel
    mjx_model: mjx.Model
    n_substeps: int
    dt: float


def with_converged_solver(task: Task) -> Task:
    """The same task with a constraint solver that iterates until it converges, at most `SOLVER_ITERATIONS` times."""
    model = copy.deepcopy(task.model)
    model.opt.iterations, model.opt.ls_iterations = SOLVER_ITERATIONS, LINE_SEARCH_ITERATIONS
    environment = _ConvergedEnvironment(model, mjx.put_model(model, impl="jax"), task.substeps, task.control_timestep)
    return Task(task.name, environment)


def load_task(name: str) -> Task:
    """Loads a task by its name in Playground's registry; raises UserError for an unknown name."""
    known_tasks([name])
    _restore_find_body()
    mujoco.set_mju_user_warning(_print_warning)
    with contextlib.redirect_stdout(io.StringIO()):  # Playground prints about optional back ends
        from mujoco_playground import registry
    # Playground's default back end, "warp", has no derivatives.
    return Task(name, registry.load(name, config_overrides={"impl": "jax"}))


def _print_warning(text: str) -> None:
    """Prints a warning; MuJoCo's own handler would also write MUJOCO_LOG.TXT into the working directory."""
    print(f"MuJoCo: {text}", file=sys.stderr)


def _restore_find_body() -> None:
    """Restores a method that Playground 0.2.0 calls because it compares versions as text ("3.17" < "3.3")."""
    if not hasattr(mujoco.MjSpec, "find_body"):
        mujoco.MjSpec.find_body = lambda spec, name: spec.body(name)
