"""Interventions: a recorded control step is repeated with one of its inputs moved, and the next states are compared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.interventions import InterventionSettings
from dynamic_sparsity.settings.jacobians import Solver
from dynamic_sparsity.simulation.coordinates import Coordinates
from dynamic_sparsity.simulation.programs import load_program
from dynamic_sparsity.simulation.tasks import Task, load_task, with_converged_solver
from dynamic_sparsity.simulation.transition import NextState, Recorded, Transition
from dynamic_sparsity.stores.opening import source_of
from dynamic_sparsity.stores.reading import reading
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME

BATCH = 16
"""Repetitions side by side in one call of the step."""
DIRECTIONS = (-1.0, 1.0)
_STATE = ("qpos", "qvel", "act")


class Effects(NamedTuple):
    """What moving each input of one control step does to its next state, in tangent coordinates."""

    change: Float[np.ndarray, "size direction out_dim in_dim"]
    """Next state of the moved step minus that of the step itself."""
    scale: Float[np.ndarray, " out_dim"]
    """1 + |next state|; 1 for a rotation, whose tangent has no value of its own."""
    repeat_change: float
    """Largest |change| / scale over the repetitions in which nothing is moved."""


def repeated_with_moves(
    rollouts: Sequence[xr.Dataset], jacobians: Sequence[xr.Dataset], settings: InterventionSettings, solver: Solver
) -> list[xr.Dataset]:
    """The effects of moving each input at a sample of the steps, one Dataset per study seed.

    `rollouts` and `jacobians`: the stores of one task and policy, in the order of their study seeds. Dims: `episode`,
    `sample` (the sampled steps of an episode, padded with NaN and False), `size` and `direction` of the move, `out_dim`,
    `in_dim`, `constraint`. Variables: `change`, `scale` and `repeat_change` (`Effects`), `jacobian` and
    `constraint_active` of the sampled steps, `step` (its number in the episode, -1 for padding), `input_deviation` and
    `output_deviation` (standard deviations over all recorded steps, in the coordinates' own units).

    Raises UserError if a recorded state or control is not finite, because deviations then are not either.
    """
    name = rollouts[0].attrs["task"]
    task = functools.cache(lambda: load_task(name))  # most jobs need none: their program is cached
    inputs, outputs = deviations(rollouts, lambda: task().coordinates)
    mover = Mover(name, task, settings.sizes, inputs, solver)
    chosen = iter(sampled_steps([int(length) for store in rollouts for length in store.length.values], settings.steps))
    per_seed = [[next(chosen) for _ in range(store.sizes[EPISODE])] for store in rollouts]
    samples = max(1, *(len(steps) for of_seed in per_seed for steps in of_seed))
    return [
        _of_seed(*stores, steps, samples, mover).assign(input_deviation=(IN, inputs), output_deviation=(OUT, outputs))
        for *stores, steps in zip(rollouts, jacobians, per_seed, strict=True)
    ]


def sampled_steps(lengths: Sequence[int], steps: int) -> list[np.ndarray]:
    """The sampled steps of each episode: `steps` steps at even distances along all episodes, laid end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    count = min(steps, total)
    places = (2 * np.arange(count) + 1) * total // (2 * count)
    starts = ends - np.asarray(lengths)
    return [places[(places >= start) & (places < end)] - start for start, end in zip(starts, ends, strict=True)]


def deviations(rollouts: Sequence[xr.Dataset], coordinates: Callable[[], Coordinates]) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of the inputs [in_dim] and of the next state [out_dim] over all recorded steps.

    They are exactly 0 for a variable that never varies. Rotations deviate along their tangent from the first recorded
    orientation; `coordinates` is called only if there are any. Raises UserError if a recorded number is not finite.
    """
    before = [*_recorded(rollouts, _STATE, coordinates), _recorded(rollouts, ("ctrl",), coordinates)[0]]
    after = _recorded(rollouts, tuple(f"next_{name}" for name in _STATE), coordinates)
    return _deviation(np.concatenate(before, axis=1)), _deviation(np.concatenate(after, axis=1))


def _recorded(
    rollouts: Sequence[xr.Dataset], names: Sequence[str], coordinates: Callable[[], Coordinates]
) -> list[np.ndarray]:
    """Variables [step, coordinate] of all recorded steps in float64, positions as tangents."""
    arrays = []
    for name in names:
        pieces = []
        for store in rollouts:
            with reading(source_of(store)):
                values, lengths = store[name].values.astype(float), store.length.values
            pieces += [episode[:length] for episode, length in zip(values, lengths, strict=True)]
        array = np.concatenate(pieces)
        if not np.isfinite(array).all():
            raise UserError(
                f"the rollouts of {rollouts[0].attrs['task']} hold values of {name} that are not finite, so its inputs have"
                " no standard deviation to be moved by: leave this task or policy out of the study"
            )
        has_rotations = name.endswith("qpos") and array.shape[1] != rollouts[0].qvel.shape[-1]
        arrays.append(_tangent(array, coordinates()) if has_rotations else array)
    return arrays


def _tangent(qpos: np.ndarray, coordinates: Coordinates) -> np.ndarray:
    """Positions as tangents at the first one; quaternions of one orientation differ by their sign."""
    origin, aligned = qpos[0], qpos.copy()
    for quat, _ in coordinates.quaternions:
        part = slice(quat, quat + 4)
        aligned[:, part] *= np.where(aligned[:, part] @ origin[part] < 0, -1.0, 1.0)[:, None]
    return np.asarray(jax.vmap(coordinates.difference, (0, None))(jnp.asarray(aligned), jnp.asarray(origin)))


def _deviation(values: np.ndarray) -> np.ndarray:
    return np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 0.0)


def _of_seed(
    rollout: xr.Dataset, jacobians: xr.Dataset, steps: Sequence[np.ndarray], samples: int, mover: Mover
) -> xr.Dataset:
    """The sampled steps of all episodes of one study seed."""
    episodes = [_of_episode(rollout, jacobians, number, chosen, mover) for number, chosen in enumerate(steps)]
    padded = [episode.pad(sample=(0, samples - episode.sizes["sample"]), constant_values=_PADDING) for episode in episodes]
    return xr.concat(padded, dim=EPISODE, coords="minimal", compat="override").assign_attrs(rollout.attrs)


_PADDING = {
    **dict.fromkeys(("change", "scale", "repeat_change", "jacobian"), np.nan),
    **{"constraint_active": False, "step": -1},
}


def _of_episode(rollout: xr.Dataset, jacobians: xr.Dataset, number: int, steps: np.ndarray, mover: Mover) -> xr.Dataset:
    """The effects at `steps` of one episode, with its Jacobians and constraints at these steps."""
    with reading(source_of(rollout)):
        episode = rollout[list(Recorded._fields)].isel({EPISODE: number, TIME: steps}).load()
    with reading(source_of(jacobians)):
        known = jacobians[["jacobian", "constraint_active"]].isel({EPISODE: number, TIME: steps}, drop=True).load()
    start = Recorded(*(episode[name].values.astype(float) for name in Recorded._fields))
    effects = [mover(Recorded(*(part[place] for part in start))) for place in range(len(steps))]
    shape = len(mover.sizes), len(DIRECTIONS), known.sizes[OUT], known.sizes[IN]
    return (
        known.transpose(TIME, OUT, IN, CONSTRAINT)
        .rename({TIME: "sample"})
        .assign(
            change=(("sample", "size", "direction", OUT, IN), _stacked([each.change for each in effects], shape)),
            scale=(("sample", OUT), _stacked([each.scale for each in effects], shape[2:3])),
            repeat_change=("sample", np.array([each.repeat_change for each in effects], float)),
            step=("sample", steps.astype(np.int32)),
        )
        .assign_coords(size=list(mover.sizes), direction=list(DIRECTIONS))
    )


def _stacked(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Arrays of this shape along a new first axis, also if there is none."""
    return np.stack(arrays) if arrays else np.zeros((0, *shape))


class Mover:
    """Repeats control steps of one task in float64, each time with one input moved."""

    def __init__(
        self,
        name: str,
        task: Callable[[], Task],
        sizes: Sequence[float],
        deviations: np.ndarray,
        solver: Solver = "playground",
    ) -> None:
        """`sizes`: of the moves, in units of `deviations` [in_dim]. `task` is called if no program of `name` is cached."""
        self.sizes = tuple(sizes)
        self._task, self._solver = task, solver
        moves = np.multiply.outer(np.multiply.outer(self.sizes, DIRECTIONS), np.diag(deviations))
        self._moved = moves.reshape(-1, len(deviations))
        unmoved = np.zeros(len(deviations))
        repeats = 1 + -(len(self._moved) + 2) % BATCH  # at least one, and then as many as fill the last batch
        self._offsets = np.concatenate([[unmoved], self._moved, [unmoved] * repeats])
        identity = {"task": name, "solver": solver, "repetitions": len(self._offsets)}
        self._call = load_program("interventions", self._build, modules=[__name__], **identity)

    def __call__(self, start: Recorded) -> Effects:
        """The effects of all moves on one step."""
        change, value = map(np.asarray, self._call(*(np.asarray(part, float) for part in start), self._offsets))
        scale = 1 + np.abs(value)
        moved, repeats = np.split(change[1:], [len(self._moved)])
        by_move = moved.reshape(len(self.sizes), len(DIRECTIONS), -1, len(value)).swapaxes(-1, -2)
        return Effects(by_move, scale, float((np.abs(repeats) / scale).max(initial=0.0)))

    def _build(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        task = with_converged_solver(self._task()) if self._solver == "converged" else self._task()
        transition, coordinates, offsets = Transition(task), task.coordinates, self._offsets

        def program(*arguments: jax.Array) -> tuple[jax.Array, jax.Array]:
            *recorded, rows = arguments
            start = Recorded(*recorded)
            groups = rows.reshape(-1, BATCH, rows.shape[1])
            ends = jax.lax.map(jax.vmap(lambda offset: transition(moved(task, start, offset))[0]), groups)
            ends = NextState(*(part.reshape(len(offsets), part.shape[2]) for part in ends))
            first = NextState(*(part[0] for part in ends))
            return jax.vmap(lambda end: _difference(coordinates, end, first))(ends), _value(coordinates, first)

        return program, (*_shapes(task), jax.ShapeDtypeStruct(offsets.shape, offsets.dtype))


def moved(task: Task, start: Recorded, offset: Float[Array, " in_dim"]) -> Recorded:
    """The start of a step with its inputs changed by `offset`, positions along their tangent; the warm start stays.

    Controls may leave their range: MJX clamps those of limited actuators itself (`mjx/_src/forward.py`). A rotation by
    the tangent w turns by 2 atan(|w| / 2), because `Coordinates.moved` is exact to first order only.
    """
    nv, na = task.model.nv, task.model.na
    tangent, qvel, act, ctrl = jnp.split(offset, [nv, 2 * nv, 2 * nv + na])
    return start._replace(
        qpos=task.coordinates.moved(start.qpos, tangent),
        qvel=start.qvel + qvel,
        act=start.act + act,
        ctrl=start.ctrl + ctrl,
    )


def _difference(coordinates: Coordinates, end: NextState, first: NextState) -> Float[Array, " out_dim"]:
    return jnp.concatenate([coordinates.difference(end.qpos, first.qpos), end.qvel - first.qvel, end.act - first.act])


def _value(coordinates: Coordinates, end: NextState) -> Float[Array, " out_dim"]:
    """The state in tangent coordinates; 0 for rotations."""
    origin = jnp.zeros_like(end.qpos)
    for quat, _ in coordinates.quaternions:
        origin = origin.at[quat : quat + 4].set(end.qpos[quat : quat + 4])
    return jnp.concatenate([coordinates.difference(end.qpos, origin), end.qvel, end.act])


def _shapes(task: Task) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of one recorded step in float64."""
    model = task.model
    return tuple(jax.ShapeDtypeStruct((width,), float) for width in (model.nq, model.nv, model.na, model.nv, model.nu))
