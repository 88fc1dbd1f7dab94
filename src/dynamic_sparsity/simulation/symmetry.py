"""Whether a position coordinate is a symmetry: what a control step does after a large, finite shift of it.

A derivative is zero at a point; a symmetry holds everywhere. If the step does not depend on a coordinate, a shift of
that coordinate by any amount shifts the coordinate's next value by the same amount and changes no other variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import mujoco
import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.settings.structure import StructureSettings
from dynamic_sparsity.simulation.constraints import Activity, Constraints
from dynamic_sparsity.simulation.differentiate import Program
from dynamic_sparsity.simulation.jacobian import Differentiated, in_closed_form
from dynamic_sparsity.simulation.replay import step_difference
from dynamic_sparsity.simulation.structure import structure_of
from dynamic_sparsity.simulation.tasks import Task, with_converged_solver
from dynamic_sparsity.simulation.transition import NextState, Recorded, recorded_of
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME, labels


class Sample(NamedTuple):
    """Recorded steps, with where they were recorded; step first in all arrays."""

    start: Recorded
    after: NextState
    place: Int[np.ndarray, "steps 3"]
    """Study seed, episode and step."""


def sampled(rollouts: Sequence[xr.Dataset], steps: int) -> Sample:
    """At most `steps` recorded steps, evenly spaced over all steps of all episodes. One episode is in memory at a time."""
    total = sum(int(rollout["length"].sum()) for rollout in rollouts)
    chosen = np.unique(np.linspace(0, total - 1, min(steps, total)).astype(int))
    starts, afters, places, first = [], [], [], 0
    for rollout in rollouts:
        for number, episode in enumerate(episodes_of(rollout)):
            length = episode.sizes[TIME]
            within = chosen[(chosen >= first) & (chosen < first + length)] - first
            start, after = recorded_of(episode.isel({TIME: within}))
            starts.append(start)
            afters.append(after)
            places += [(rollout.attrs["seed"], number, step) for step in within]
            first += length
    join = lambda kind, parts: kind(*map(np.concatenate, zip(*parts, strict=True)))  # noqa: E731
    return Sample(join(Recorded, starts), join(NextState, afters), np.array(places).reshape(-1, 3))


class ControlStep:
    """The control step of a task with the program of the stage `jacobians` where that is cheap, so that none is compiled.

    The closed form computes the step and its derivative at the cost of a few steps. For other methods the program of
    method `finite` is used, which computes the step alone.
    """

    def __init__(self, task: Task, jacobians: JacobianSettings) -> None:
        task = with_converged_solver(task) if jacobians.solver == "converged" else task
        method = "implicit" if in_closed_form(task, jacobians.method) else "finite"
        self._program = Program(task, method, jacobians.solver)

    def __call__(self, start: Recorded) -> Differentiated:
        """Next states and constraint activity of the steps in `start` (time first)."""
        return self._program(start)


def rotations_of(model: mujoco.MjModel) -> Bool[np.ndarray, " nv"]:
    """True for the position coordinates that are angles, False for those that are lengths."""
    kind = model.jnt_type[model.dof_jntid]
    place = np.arange(model.nv) - model.jnt_dofadr[model.dof_jntid]
    free = kind == mujoco.mjtJoint.mjJNT_FREE
    return np.where(free, place >= 3, kind != mujoco.mjtJoint.mjJNT_SLIDE)


def shifts_of(rotates: Bool[np.ndarray, " nv"], settings: StructureSettings) -> Float[np.ndarray, "nv shift"]:
    """The shifts of every coordinate, from the smallest to the largest and to both sides; NaN fills up the rest."""
    lengths, angles = (
        [sign * size for size in sorted(sizes) for sign in (1, -1)] for sizes in (settings.translations, settings.rotations)
    )
    shifts = np.full((len(rotates), max(len(lengths), len(angles))), np.nan)
    for row, is_angle in zip(shifts, rotates, strict=True):
        own = angles if is_angle else lengths
        row[: len(own)] = own
    return shifts


def shifted(model: mujoco.MjModel, start: Recorded, dof: int, shift: float) -> Recorded:
    """The steps in `start` with position coordinate `dof` shifted; rotations of free and ball joints turn locally."""
    tangent, qpos = np.zeros(model.nv), np.array(start.qpos, float)
    tangent[dof] = shift
    for row in qpos:
        mujoco.mj_integratePos(model, row, tangent, 1.0)
    return start._replace(qpos=qpos)


def changes(
    model: mujoco.MjModel, before: NextState, after: NextState, dof: int, shift: float
) -> Float[np.ndarray, "steps out_dim"]:
    """How far each next-state variable is from that of the recorded step, relative to 1 + |value|.

    For coordinate `dof` itself: how far its next value is from one that is shifted by `shift`. A rotation's value counts
    as 0. Infinite where a value is not finite.
    """
    moved = np.zeros((len(before.qpos), model.nv))
    for row, origin, end in zip(moved, np.array(before.qpos, float), np.array(after.qpos, float), strict=True):
        mujoco.mj_differentiatePos(model, row, 1.0, origin, end)
    moved[:, dof] -= shift
    qpos = np.zeros_like(moved)
    kinds = [mujoco.mjtJoint(kind) for kind in model.jnt_type[model.dof_jntid]]
    single = np.array([kind in (mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE) for kind in kinds], bool)
    qpos[:, single] = np.asarray(before.qpos)[:, model.jnt_qposadr[model.dof_jntid[single]]]
    with np.errstate(invalid="ignore"):
        difference = np.concatenate([moved, after.qvel - before.qvel, after.act - before.act], axis=1)
        relative = np.abs(difference) / (1 + np.abs(np.concatenate([qpos, before.qvel, before.act], axis=1)))
    return np.where(np.isfinite(relative), relative, np.inf)


class Changes(NamedTuple):
    """What shifts change at a sample of steps."""

    before: Differentiated
    """The steps without a shift."""
    largest: Float[np.ndarray, "nv shift out_dim"]
    """The largest change (`changes`) over the steps; NaN where a coordinate has fewer shifts."""
    gained: Int[np.ndarray, "nv shift constraint"]
    """In how many steps the shift makes a constraint active that is not active without it."""


def changes_by_shifts(
    step: Callable[[Recorded], Differentiated], model: mujoco.MjModel, start: Recorded, sizes: Float[np.ndarray, "nv shift"]
) -> Changes:
    """Repeats the steps in `start` after every shift of every coordinate. All run together, so that chunks are full."""
    pairs = np.argwhere(np.isfinite(sizes)).tolist()
    starts = [start, *(shifted(model, start, dof, float(sizes[dof, number])) for dof, number in pairs)]
    result = step(Recorded(*map(np.concatenate, zip(*starts, strict=True))))
    before, *ends = (_steps(result, number * len(start.qpos), len(start.qpos)) for number in range(len(starts)))
    largest = np.full((*sizes.shape, 2 * model.nv + model.na), np.nan)
    gained = np.zeros((*sizes.shape, before.activity.active.shape[1]), np.int32)
    for (dof, number), end in zip(pairs, ends, strict=True):
        own = float(sizes[dof, number])
        largest[dof, number] = changes(model, before.next_state, end.next_state, dof, own).max(axis=0)
        gained[dof, number] = (end.activity.active & ~before.activity.active).sum(axis=0)
    return Changes(before, largest, gained)


def _steps(result: Differentiated, first: int, count: int) -> Differentiated:
    """Next states and activity of `count` steps of a result."""
    part = slice(first, first + count)
    after, activity = ([np.asarray(values)[part] for values in parts] for parts in (result.next_state, result.activity))
    return result._replace(next_state=NextState(*after), activity=Activity(*activity))


def structure_dataset(
    rollouts: Sequence[xr.Dataset], task: Task, settings: StructureSettings, jacobians: JacobianSettings
) -> xr.Dataset:
    """The structural bound of a task, and what shifts of each position coordinate change at a sample of its steps.

    Dims: `coordinate`, the position coordinates; `shift`, their shifts; `sample`, the sampled steps.

    - `possible`, `joined` (out_dim, in_dim): entries that can be non-zero (`structure.Structure`);
    - `shift_size` (coordinate, shift): metres or radians; NaN where a coordinate has fewer shifts; `rotates`;
    - `largest_change` (coordinate, shift, out_dim), `gained` (coordinate, shift, constraint): see `Changes`;
    - `sample_place` (sample, place): study seed, episode and step; `step_difference`: from the recorded next state.
    """
    model, names, constraints = task.model, task.coordinates, Constraints.of(task.model)
    sample, rotates = sampled(rollouts, settings.steps), rotations_of(model)
    sizes = shifts_of(rotates, settings)
    found = changes_by_shifts(ControlStep(task, jacobians), model, sample.start, sizes)
    entries, ones = structure_of(model, jacobians.method), {"units": "1"}
    return xr.Dataset(
        {
            "possible": ((OUT, IN), entries.possible, ones),
            "joined": ((OUT, IN), entries.joined, ones),
            "rotates": ("coordinate", rotates, ones),
            "shift_size": (("coordinate", "shift"), sizes, {"units": "m, or rad where `rotates`"}),
            "largest_change": (("coordinate", "shift", OUT), found.largest, ones),
            "gained": (("coordinate", "shift", CONSTRAINT), found.gained, ones),
            "sample_place": (("sample", "place"), sample.place.astype(np.int64), ones),
            "step_difference": ("sample", step_difference(found.before.next_state, sample.after), ones),
        },
        coords={
            OUT: labels(names.state_labels),
            IN: labels(names.input_labels),
            "coordinate": labels(names.state_labels[: model.nv]),
            CONSTRAINT: labels(constraints.labels),
            "place": labels(["seed", EPISODE, "step"]),
        },
    )
