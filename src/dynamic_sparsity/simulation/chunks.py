"""Cuts episodes into chunks of one size, so that one compiled program serves episodes of any length."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import Recorded

CHUNK_STEPS = 48
"""Control steps per call of a compiled program. Small, so that padding the last chunk of 1000 steps wastes only 1 %,
and a multiple of the Jacobians' batch, so that the batch is traced once."""


def chunks(array: np.ndarray, size: int = CHUNK_STEPS) -> list[np.ndarray]:
    """Cuts `array` (time first) into chunks of `size` steps; the last chunk is filled by repeating its last step."""
    pad = -len(array) % size
    padded = np.concatenate([array, np.repeat(array[-1:], pad, axis=0)])
    return np.split(padded, len(padded) // size)


def recorded_chunks(start: Recorded, size: int = CHUNK_STEPS) -> list[tuple[np.ndarray, ...]]:
    """Cuts `start` (time first) into chunks of `size` steps, in the precision of this process."""
    dtype = jnp.zeros(0).dtype
    return list(zip(*(chunks(np.asarray(array, dtype), size) for array in start), strict=True))


def recorded_shapes(task: Task, size: int = CHUNK_STEPS) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of one chunk of `Recorded` [size, width], in the precision of this process."""
    model, dtype = task.model, jnp.zeros(0).dtype
    widths = Recorded(model.nq, model.nv, model.na, model.nv, model.nu)
    return tuple(jax.ShapeDtypeStruct((size, width), dtype) for width in widths)


def join_chunks(pieces: list[Any], steps: int) -> list[np.ndarray]:
    """Joins the results of chunks along time and drops the padding after `steps`."""
    return [np.concatenate([np.asarray(a) for a in arrays])[:steps] for arrays in zip(*pieces, strict=True)]
