"""The proof that what was recorded determines the transition: repeat every step and compare."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.experimental
import numpy as np
from jaxtyping import Bool

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.simulation.chunks import join_chunks, recorded_chunks, recorded_shapes
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
"""Perturbed replays of a step that left the tolerance."""


class Replayer:
    """Repeats recorded control steps of a task in float32, the precision they were recorded in."""

    def __init__(self, name: str) -> None:
        self._name = name
        with jax.experimental.disable_x64():
            self._program = load_program("replay", self._build, owner=__name__, task=name)

    @functools.cached_property
    def _task(self) -> Task:
        """Needed to trace the program and to name what does not replay: most jobs do neither."""
        with jax.experimental.disable_x64():
            return load_task(self._name)

    def __call__(self, start: Recorded) -> NextState:
        """Next states of the steps in `start` (time first)."""
        with jax.experimental.disable_x64():
            pieces = [self._program(*chunk) for chunk in recorded_chunks(start)]
            return NextState(*join_chunks(pieces, len(start.qpos)))

    def prove(self, start: Recorded, recorded: NextState, episode: int) -> float:
        """Largest relative difference between replay and record; time is first in all arrays.

        XLA rounds two programs of the same step differently, and a contact amplifies that. So a step that
        leaves TOLERANCE is repeated from inputs perturbed by ROUNDING, and passes if the record is no further
        from the replay than a few times the spread of those. Raises UserError naming task, episode, step and
        variable for the first step that does not pass.
        """
        replayed = self(start)
        excess = outside(replayed, recorded, TOLERANCE)
        for step in np.flatnonzero(np.logical_or.reduce([part.any(-1) for part in excess])):
            here = NextState(*(part[step] for part in recorded))
            again = NextState(*(part[step] for part in replayed))
            if names := self._unexplained(Recorded(*(part[step] for part in start)), again, here):
                raise UserError(
                    f"task {self._task.name}, episode {episode}, step {step}, {names}: the recorded variables do not"
                    f" determine this transition. Delete the rollout store and record it again on this machine; if that"
                    " fails too, the task has hidden state that is not recorded"
                )
        return float(np.nanmax(step_difference(replayed, recorded), initial=0.0))

    def _unexplained(self, start: Recorded, replayed: NextState, recorded: NextState) -> str:
        rng = np.random.default_rng(0)
        variants = Recorded(*(_perturbed(rng, part) for part in start))
        spread = [np.abs(part - again).max(0) for part, again in zip(self(variants), replayed, strict=True)]
        coordinates = self._task.coordinates
        for kind, ours, theirs, room, labels in zip(
            NextState._fields,
            replayed,
            recorded,
            spread,
            (coordinates.qpos, coordinates.dofs, coordinates.activations),
            strict=True,
        ):
            finite_room = np.where(np.isfinite(room), 4 * room, 0.0)
            wrong = _apart(ours, theirs, TOLERANCE * (1 + np.abs(theirs)) + finite_room)
            if wrong.any():
                worst = int(np.argmax(np.where(wrong, np.nan_to_num(np.abs(ours - theirs), nan=np.inf), -1)))
                return f"next_{kind}:{labels[worst]} (replayed {ours[worst]:.9g}, recorded {theirs[worst]:.9g})"
        return ""

    def _build(self) -> tuple[Callable, tuple]:
        transition = Transition(self._task)

        def program(*recorded: jax.Array) -> tuple:
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


def _perturbed(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    noise = rng.uniform(-ROUNDING, ROUNDING, (VARIANTS, *values.shape))
    return (values + noise * (1 + np.abs(values))).astype(values.dtype)


def step_difference(ours: NextState, theirs: NextState) -> np.ndarray:
    """Largest |ours - theirs| / (1 + |theirs|) of each step over the state; NaN where the state is not finite."""
    with np.errstate(invalid="ignore"):
        parts = [np.abs(a - b) / (1 + np.abs(b)) for a, b in zip(ours, theirs, strict=True)]
        return np.concatenate(parts, axis=-1).max(-1)
