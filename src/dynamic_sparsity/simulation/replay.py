"""The proof that what was recorded determines the transition: repeat every step and compare."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.runtime.jax_setup import in_precision
from dynamic_sparsity.simulation.chunks import CHUNK_STEPS, join_chunks, recorded_chunks, recorded_shapes
from dynamic_sparsity.simulation.programs import load_program
from dynamic_sparsity.simulation.tasks import Task, load_task
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition

TOLERANCE = 1e-5
"""Largest |replayed - recorded| / (1 + |recorded|) that is accepted as it is: 80 float32 roundings."""
ROUNDING = TOLERANCE
"""Relative size of the perturbations that stand for rounding where a step amplifies it. A tenth of it did not explain one of
7,000 steps of HumanoidWalk under noise (seed 0, episode 7, step 570), whose record replays otherwise: what is rounded within
a step passes through a constraint solver before it reaches the next state."""
VARIANTS = 16
"""Perturbed replays of a step that left the tolerance and that the first of them does not explain: 9 of 489 steps of
HumanoidWalk under noise (seed 0, episodes 0 and 1)."""
_SPREADS = 4
"""How many times their spread the record may be from the replay."""


class Replayer:
    """Repeats recorded control steps of a task in float32, the precision they were recorded in."""

    def __init__(self, name: str) -> None:
        self._name = name
        with in_precision(double=False):
            self._program = load_program("replay", self._build, owner=__name__, task=name)

    @functools.cached_property
    def _task(self) -> Task:
        """Needed to trace the program and to name what does not replay: most jobs do neither."""
        with in_precision(double=False):
            return load_task(self._name)

    def __call__(self, start: Recorded) -> NextState:
        """Next states of the steps in `start` (time first)."""
        with in_precision(double=False):
            pieces = [self._program(*chunk) for chunk in recorded_chunks(start)]
            return NextState(*join_chunks(pieces, len(start.qpos)))

    def prove(self, start: Recorded, recorded: NextState, episode: int) -> float:
        """Largest relative difference between replay and record; time is first in all arrays.

        XLA rounds two programs of the same step differently, and a contact amplifies that. So a step that leaves
        TOLERANCE is repeated from inputs perturbed by ROUNDING, and passes if the record is no further from the replay
        than a few times the spread of those: of one, which more could only widen, else of VARIANTS. Raises UserError
        naming task, episode, step and variable for the first step that does not pass.
        """
        replayed = self(start)
        steps = np.flatnonzero(_in_any(outside(replayed, recorded, TOLERANCE)))
        if len(steps):
            steps = steps[_in_any(self._unexplained(*_at(steps, start, replayed, recorded), variants=1))]
        together = CHUNK_STEPS // VARIANTS  # fill a chunk; the first step that does not pass ends it
        for group in (steps[first : first + together] for first in range(0, len(steps), together)):
            parts = _at(group, start, replayed, recorded)
            wrong = self._unexplained(*parts, variants=VARIANTS)
            if len(failed := np.flatnonzero(_in_any(wrong))):
                variable = self._furthest(*_at(failed[0], *parts[1:], wrong))
                raise UserError(
                    f"task {self._task.name}, episode {episode}, step {group[failed[0]]}, {variable}: the recorded"
                    " variables do not determine this transition. Delete the rollout store and record it again on this"
                    " machine; if that fails too, the task has hidden state that is not recorded"
                )
        return float(np.nanmax(step_difference(replayed, recorded), initial=0.0))

    def _unexplained(self, start: Recorded, replayed: NextState, recorded: NextState, variants: int) -> NextState:
        """Where the record is further from the replay than TOLERANCE and the spread of perturbed replays allow."""
        wrong = []
        for again, record, moved in zip(replayed, recorded, self(_perturbed(start, variants)), strict=True):
            with np.errstate(invalid="ignore"):
                spread = np.abs(moved.reshape(len(again), variants, again.shape[1]) - again[:, np.newaxis]).max(1)
            room = np.where(np.isfinite(spread), _SPREADS * spread, 0.0)
            wrong.append(_apart(again, record, TOLERANCE * (1 + np.abs(record)) + room))
        return NextState(*wrong)

    def _furthest(self, replayed: NextState, recorded: NextState, wrong: NextState) -> str:
        """The variable of one step that is furthest off, with both values."""
        coordinates = self._task.coordinates
        labels = (coordinates.qpos, coordinates.dofs, coordinates.activations)
        for kind, names, again, record, off in zip(NextState._fields, labels, replayed, recorded, wrong, strict=True):
            if off.any():
                worst = int(np.argmax(np.where(off, np.nan_to_num(np.abs(again - record), nan=np.inf), -1)))
                return f"next_{kind}:{names[worst]} (replayed {again[worst]:.9g}, recorded {record[worst]:.9g})"
        raise ValueError("nothing is wrong with this step")

    def _build(self) -> tuple[Callable, tuple]:
        transition = Transition(self._task)

        def program(*recorded: jax.Array) -> tuple:
            # One step after the other: side by side they are faster, but rounded by their place in the batch, and the
            # proof of a step must not depend on the others (docs/performance.md).
            return tuple(jax.lax.map(lambda start: transition(start)[0], Recorded(*recorded)))

        return program, recorded_shapes(self._task)


def outside(replayed: NextState, recorded: NextState, tolerance: float) -> list[Bool[np.ndarray, "..."]]:
    """Where a replay leaves the record by more than `tolerance` relative to 1 + |recorded|."""
    return [_apart(a, b, tolerance * (1 + np.abs(b))) for a, b in zip(replayed, recorded, strict=True)]


def _apart(ours: np.ndarray, theirs: np.ndarray, room: np.ndarray) -> Bool[np.ndarray, "..."]:
    """Further apart than `room`; equal infinities and two NaNs are not apart, a NaN beside a number is."""
    with np.errstate(invalid="ignore"):
        close = np.isfinite(ours) & np.isfinite(theirs) & (np.abs(ours - theirs) <= room)
    return ~(close | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))


def _perturbed(start: Recorded, variants: int) -> Recorded:
    """Each step `variants` times, one after the other, every value moved by at most ROUNDING relative to 1 + |value|.

    By the same draws for every step: what a step is held against does not depend on which others are.
    """
    rng = np.random.default_rng(0)
    moved = []
    for values in start:
        noise = rng.uniform(-ROUNDING, ROUNDING, (VARIANTS, values.shape[1]))[:variants]
        each = values[:, np.newaxis] + noise * (1 + np.abs(values[:, np.newaxis]))
        moved.append(each.astype(values.dtype).reshape(len(values) * variants, values.shape[1]))
    return Recorded(*moved)


def _at(steps: Any, *parts: Recorded | NextState) -> list[Any]:
    """Some steps, or one, of each of `parts`."""
    return [type(part)(*(array[steps] for array in part)) for part in parts]


def _in_any(parts: Iterable[Bool[np.ndarray, "steps _"]]) -> Bool[np.ndarray, " steps"]:
    """Steps at which any value of any part is True."""
    return np.logical_or.reduce([part.any(-1) for part in parts])


def step_difference(ours: NextState, theirs: NextState) -> np.ndarray:
    """Largest |ours - theirs| / (1 + |theirs|) of each step over the state; NaN where the state is not finite."""
    with np.errstate(invalid="ignore"):
        parts = [np.abs(a - b) / (1 + np.abs(b)) for a, b in zip(ours, theirs, strict=True)]
        return np.concatenate(parts, axis=-1).max(-1)
