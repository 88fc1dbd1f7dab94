"""Jacobians of whole episodes, computed chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from dynamic_sparsity.settings.jacobians import Method, Solver
from dynamic_sparsity.simulation.chunks import CHUNK_STEPS, join_chunks, recorded_chunks, recorded_shapes
from dynamic_sparsity.simulation.constraints import KINDS, Activity, Constraints
from dynamic_sparsity.simulation.finite import FiniteDifferences
from dynamic_sparsity.simulation.jacobian import Differentiated, in_closed_form, jacobian_of
from dynamic_sparsity.simulation.programs import load_program
from dynamic_sparsity.simulation.replay import step_difference
from dynamic_sparsity.simulation.tasks import Task, with_converged_solver
from dynamic_sparsity.simulation.transition import NextState, Recorded
from dynamic_sparsity.stores.schema import CONSTRAINT, IN, OUT, TIME, labels, padded

LARGE_CHUNK_STEPS = 1000
"""Control steps side by side on an accelerator: fewer do not fill it."""

_BATCHES = {
    "exact": ((10_000, 16),),
    "unrolled": ((12, 16), (40, 4), (10_000, 1)),
    "implicit": ((40, 48), (10_000, 16)),
    "differences": ((10_000, 1),),
    "finite": ((10_000, CHUNK_STEPS),),
}
"""By method: (largest number of inputs, steps differentiated side by side), on one core in float64. `python -m
benchmarks batches` measures the first three again; docs/performance.md has the table. `unrolled` pushes all tangents of
all steps through every operation, and those of HumanoidWalk (75 inputs) do not fit the cache. `implicit` holds matrices
and gains up to larger sizes. `exact` differentiates the few steps whose solver did not converge, padded to a whole
batch. `differences` already batches the perturbed inputs of a single step."""


def batch_size(method: Method, inputs: int, backend: str) -> int:
    """How many steps to differentiate side by side; on a CPU a divisor of CHUNK_STEPS."""
    if backend != "cpu":
        return LARGE_CHUNK_STEPS if method != "differences" else max(1, LARGE_CHUNK_STEPS // (4 * inputs + 1))
    return next(batch for limit, batch in _BATCHES[method] if inputs <= limit)


class Differentiator:
    """Differentiates recorded transitions of one task, in the precision of this process."""

    def __init__(self, task: Task, method: Method, solver: Solver = "playground", batch: int | None = None) -> None:
        """`batch`: steps side by side, a divisor of CHUNK_STEPS or larger than it; default: `batch_size`."""
        task = with_converged_solver(task) if solver == "converged" else task
        self._differences = FiniteDifferences(task) if method == "finite" else None
        # The solver converges in most steps: differentiate all steps as converged, then redo the steps that did not
        # converge.
        self._splits = method == "exact" and in_closed_form(task, method)
        self._program = Program(task, "implicit" if self._splits else method, solver, batch)
        self._load_iterations = partial(Program, task, method, solver, batch)

    def __call__(self, start: Recorded) -> Differentiated:
        """Jacobians, replayed next states and constraint activity of the steps in `start` (time first)."""
        result = self._program(start)
        if self._differences is not None:  # the program computes only the constraint activity for method `finite`
            jacobian, after = self._differences(start)
            return result._replace(jacobian=jacobian, next_state=after)
        unconverged = np.flatnonzero(~result.activity.converged)
        if self._splits and len(unconverged):
            redone = self._with_iterations(Recorded(*(part[unconverged] for part in start)))
            result.jacobian[unconverged] = redone.jacobian
        return result

    @cached_property
    def _with_iterations(self) -> Program:
        """The program that differentiates the solver's iterations; loaded when the first step needs it."""
        return self._load_iterations()


class Program:
    """The compiled program of one method for one task; it runs chunk by chunk."""

    def __init__(self, task: Task, method: Method, solver: Solver, batch: int | None = None) -> None:
        self._task, self._method = task, method
        self._batch = batch or batch_size(method, len(task.coordinates.input_labels), jax.default_backend())
        self._chunk = self._batch if method == "exact" else max(CHUNK_STEPS, self._batch)
        identity = {"task": task.name, "method": method, "solver": solver, "batch": self._batch}
        self._call = load_program("jacobian", self._build, modules=[__name__], **identity)

    def __call__(self, start: Recorded) -> Differentiated:
        """Jacobians, next states and constraint activity of the steps in `start` (time first)."""
        pieces = [self._call(*chunk) for chunk in recorded_chunks(start, self._chunk)]
        jacobian, *outputs = join_chunks(pieces, len(start.qpos))
        after, activity = len(NextState._fields), len(Activity._fields)
        roughness = outputs[after + activity] if len(outputs) > after + activity else None
        return Differentiated(jacobian, NextState(*outputs[:after]), Activity(*outputs[after:][:activity]), roughness)

    def _build(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        jacobian = jacobian_of(self._task, self._method)
        batch, chunk = self._batch, self._chunk

        def program(*recorded: jax.Array) -> tuple[Any, ...]:
            # Not lax.map(batch_size=…): it cannot batch arrays of width 0 (a task without activations).
            batches = [array.reshape(chunk // batch, batch, array.shape[1]) for array in recorded]
            result = jax.lax.map(jax.vmap(jacobian), Recorded(*batches))
            return tuple(array.reshape(chunk, *array.shape[2:]) for array in jax.tree.leaves(result))

        return program, recorded_shapes(self._task, chunk)


def jacobian_dataset(result: Differentiated, recorded: NextState, task: Task, steps: int) -> xr.Dataset:
    """One episode's labelled Jacobians and constraint activity, padded to `steps` along `time`.

    `constraint_active`, `constraint_loaded`: in any substep of a step. `active_…s`: how many constraints of a kind are
    active. `step_difference`: the distance between the next state of the differentiated step, in its own precision, and
    the recorded one: the largest |difference| / (1 + |recorded|) over the state. `solver_converged`: the constraint
    solver ended within its tolerance in all substeps. `roughness` (method `differences` only): how far the differences
    of two widths are apart. `length`: how many steps are not padding.
    """
    constraints, coordinates = Constraints.of(task.model), task.coordinates
    length = len(result.jacobian)
    kinds = np.array(constraints.kinds)
    counts = {
        f"active_{kind}s": (
            (TIME,),
            padded(result.activity.active[:, kinds == kind].sum(1).astype(np.int32), steps),
            {"units": "1"},
        )
        for kind in KINDS
    }
    arrays = {
        "jacobian": ((TIME, OUT, IN), padded(result.jacobian, steps), {"units": "unit of out_dim / unit of in_dim"}),
        "step_difference": ((TIME,), padded(step_difference(result.next_state, recorded), steps), {"units": "1"}),
        "solver_converged": ((TIME,), padded(result.activity.converged, steps), {"units": "1"}),
        "constraint_active": ((TIME, CONSTRAINT), padded(result.activity.active, steps), {"units": "1"}),
        "constraint_loaded": ((TIME, CONSTRAINT), padded(result.activity.loaded, steps), {"units": "1"}),
    }
    if result.roughness is not None:
        arrays["roughness"] = ((TIME,), padded(result.roughness, steps), {"units": "1"})
    coords = {
        OUT: labels(coordinates.state_labels),
        IN: labels(coordinates.input_labels),
        CONSTRAINT: labels(constraints.labels),
        "constraint_kind": (CONSTRAINT, labels(constraints.kinds)),
    }
    return xr.Dataset({**arrays, **counts, "length": ((), np.int32(length))}, coords=coords)
