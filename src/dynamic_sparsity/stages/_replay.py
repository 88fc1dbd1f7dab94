"""Shared by the stages that differentiate recorded steps: the proof that these steps replay, reused or made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:  # jax is configured before it is imported
    from dynamic_sparsity.simulation.transition import NextState, Recorded


def prover(path: Path, rollout: xr.Dataset) -> Callable[[Recorded, NextState, int], object] | None:
    """A function that proves that recorded steps replay; None if the store's own proof holds. Prints which it is."""
    from dynamic_sparsity.simulation.proof import doubt

    task = rollout.attrs["task"]
    if (reason := doubt(path, rollout.attrs)) is None:
        print(f"{task}: every recorded step replays, as was proved when it was recorded", flush=True)
        return None
    print(f"{task}: proving again that every recorded step replays: {reason}", flush=True)
    from dynamic_sparsity.simulation.replay import Replayer

    return Replayer(task).prove
