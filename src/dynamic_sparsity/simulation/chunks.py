"""Steps in chunks of one size: a compiled program serves episodes of any length."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dynamic_sparsity.simulation.tasks import Task
from dynamic_sparsity.simulation.transition import Recorded

CHUNK_STEPS = 48
"""Control steps per call of a compiled program: small, so that padding the last chunk of 1000 steps wastes 1 %; a
multiple of the Jacobians' batch, so that none is traced twice."""


def chunks(array: np.ndarray) -> list[np.ndarray]:
    """Cut along time into pieces of CHUNK_STEPS; the last is padded by repeating its last step."""
    pad = -len(array) % CHUNK_STEPS
    padded = np.concatenate([array, np.repeat(array[-1:], pad, axis=0)])
    return np.split(padded, len(padded) // CHUNK_STEPS)


def recorded_chunks(start: Recorded) -> list[tuple[np.ndarray, ...]]:
    """`start` (time first) in chunks, in the precision of this process."""
    dtype = jnp.zeros(0).dtype
    return list(zip(*(chunks(np.asarray(array, dtype)) for array in start), strict=True))


def recorded_shapes(task: Task) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of one chunk of `Recorded`, in the precision of this process."""
    model, dtype = task.model, jnp.zeros(0).dtype
    widths = Recorded(model.nq, model.nv, model.na, model.nv, model.nu)
    return tuple(jax.ShapeDtypeStruct((CHUNK_STEPS, width), dtype) for width in widths)


def join_chunks(pieces: list[Any], steps: int) -> list[np.ndarray]:
    """Put the results of chunks together again, without the padding."""
    return [np.concatenate([np.asarray(a) for a in arrays])[:steps] for arrays in zip(*pieces, strict=True)]
