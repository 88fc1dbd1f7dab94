"""Proves that the recorded variables determine every transition: repeats each step and compares the next states."""

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
"""Largest |replayed - recorded| / (1 + |recorded|) that is accepted without further tests: 80 float32 roundings."""
ROUNDING = TOLERANCE
"""Relative size of the perturbations that stand for rounding in steps that amplify it. A tenth of it was too small to
explain one of 7,000 steps of HumanoidWalk under policy `noise` (seed 0, episode 7, step 570), whose record replays
otherwise: rounding within a step passes through the constraint solver before it reaches the next state."""
VARIANTS = 16
"""Perturbed replays of a step beyond TOLERANCE that a single one does not explain: 9 of 489 such steps of HumanoidWalk
under policy `noise` (seed 0, episodes 0 and 1)."""
_SPREADS = 4
"""The record may differ from the replay by this many times the spread of the perturbed replays."""


class Replayer:
    """Repeats recorded control steps of a task in float32, the precision they were recorded in."""

    def __init__(self, name: str) -> None:
        self._name = name
        with in_precision(double=False):
            self._program = load_program("replay", self._build, modules=[__name__], task=name)

    @functools.cached_property
    def _task(self) -> Task:
        """The task, needed to trace the program and to name a variable that does not replay; most jobs do neither."""
        with in_precision(double=False):
            return load_task(self._name)

    def __call__(self, start: Recorded) -> NextState:
        """Next states of the steps in `start` (time first)."""
        with in_precision(double=False):
            pieces = [self._program(*chunk) for chunk in recorded_chunks(start)]
            return NextState(*join_chunks(pieces, len(start.qpos)))

    def prove(self, start: Recorded, recorded: NextState, episode: int) -> float:
        """Proves that every step replays; returns the largest relative difference. Time is first in all arrays.

        XLA rounds two programs of the same step differently, and a contact amplifies the difference. So a step beyond
        TOLERANCE is repeated from inputs perturbed by ROUNDING. It passes if the record differs from the replay by no
        more than a few times the spread of these repetitions. One repetition is tried first, because more can only
        widen the spread; then VARIANTS. Raises UserError, naming task, episode, step and variable, for the first step
        that does not pass.
        """
        replayed = self(start)
        steps = np.flatnonzero(_in_any(outside(replayed, recorded, TOLERANCE)))
        if len(steps):
            steps = steps[_in_any(self._unexplained(*_at(steps, start, replayed, recorded), variants=1))]
        group_size = CHUNK_STEPS // VARIANTS  # one group fills a chunk; the first step that fails ends the proof
        for group in (steps[first : first + group_size] for first in range(0, len(steps), group_size)):
            parts = _at(group, start, replayed, recorded)
            violations = self._unexplained(*parts, variants=VARIANTS)
            if len(failed := np.flatnonzero(_in_any(violations))):
                variable = self._furthest(*_at(failed[0], *parts[1:], violations))
                raise UserError(
                    f"task {self._task.name}, episode {episode}, step {group[failed[0]]}, {variable}: the recorded"
                    " variables do not determine this transition. Delete the rollout store and record it again on this"
                    " machine; if that fails too, the task has hidden state that is not recorded"
                )
        return float(np.nanmax(step_difference(replayed, recorded), initial=0.0))

    def _unexplained(self, start: Recorded, replayed: NextState, recorded: NextState, variants: int) -> NextState:
        """True where record and replay differ by more than TOLERANCE and the spread of perturbed replays allow."""
        violations = []
        for replay, record, perturbed in zip(replayed, recorded, self(_perturbed(start, variants)), strict=True):
            with np.errstate(invalid="ignore"):
                spread = np.abs(perturbed.reshape(len(replay), variants, replay.shape[1]) - replay[:, np.newaxis]).max(1)
            allowance = np.where(np.isfinite(spread), _SPREADS * spread, 0.0)
            violations.append(_apart(replay, record, TOLERANCE * (1 + np.abs(record)) + allowance))
        return NextState(*violations)

    def _furthest(self, replayed: NextState, recorded: NextState, violations: NextState) -> str:
        """The variable of one step that is furthest from the record, with both values."""
        coordinates = self._task.coordinates
        labels = (coordinates.qpos, coordinates.dofs, coordinates.activations)
        for kind, names, replay, record, violated in zip(
            NextState._fields, labels, replayed, recorded, violations, strict=True
        ):
            if violated.any():
                worst = int(np.argmax(np.where(violated, np.nan_to_num(np.abs(replay - record), nan=np.inf), -1)))
                return f"next_{kind}:{names[worst]} (replayed {replay[worst]:.9g}, recorded {record[worst]:.9g})"
        raise ValueError("this step has no violation")

    def _build(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        transition = Transition(self._task)

        def program(*recorded: jax.Array) -> tuple[Any, ...]:
            # One step after the other. Side by side would be faster, but rounding would depend on a step's place in the
            # batch, and the proof of a step must not depend on other steps (docs/performance.md).
            return tuple(jax.lax.map(lambda start: transition(start)[0], Recorded(*recorded)))

        return program, recorded_shapes(self._task)


def outside(replayed: NextState, recorded: NextState, tolerance: float) -> list[Bool[np.ndarray, "..."]]:
    """True where |replayed - recorded| exceeds `tolerance` × (1 + |recorded|)."""
    return [
        _apart(replay, record, tolerance * (1 + np.abs(record))) for replay, record in zip(replayed, recorded, strict=True)
    ]


def _apart(replayed: np.ndarray, recorded: np.ndarray, allowance: np.ndarray) -> Bool[np.ndarray, "..."]:
    """True where the values differ by more than `allowance`, or only one is NaN; equal infinities do not differ."""
    with np.errstate(invalid="ignore"):
        close = np.isfinite(replayed) & np.isfinite(recorded) & (np.abs(replayed - recorded) <= allowance)
    return ~(close | (replayed == recorded) | (np.isnan(replayed) & np.isnan(recorded)))


def _perturbed(start: Recorded, variants: int) -> Recorded:
    """Repeats each step `variants` times in a row, with every value changed by at most ROUNDING × (1 + |value|).

    All steps use the same draws, so that the perturbations of a step do not depend on the other steps.
    """
    rng = np.random.default_rng(0)
    perturbed_parts = []
    for values in start:
        noise = rng.uniform(-ROUNDING, ROUNDING, (VARIANTS, values.shape[1]))[:variants]
        perturbed = values[:, np.newaxis] + noise * (1 + np.abs(values[:, np.newaxis]))
        perturbed_parts.append(perturbed.astype(values.dtype).reshape(len(values) * variants, values.shape[1]))
    return Recorded(*perturbed_parts)


def _at(steps: Any, *parts: Recorded | NextState) -> list[Any]:
    """The given step or steps of each of `parts`."""
    return [type(part)(*(array[steps] for array in part)) for part in parts]


def _in_any(parts: Iterable[Bool[np.ndarray, "steps _"]]) -> Bool[np.ndarray, " steps"]:
    """True for steps at which any value of any part is true."""
    return np.logical_or.reduce([part.any(-1) for part in parts])


def step_difference(computed: NextState, recorded: NextState) -> np.ndarray:
    """Largest |computed - recorded| / (1 + |recorded|) over the state, per step; NaN where the state is not finite."""
    with np.errstate(invalid="ignore"):
        parts = [np.abs(a - b) / (1 + np.abs(b)) for a, b in zip(computed, recorded, strict=True)]
        return np.concatenate(parts, axis=-1).max(-1)
