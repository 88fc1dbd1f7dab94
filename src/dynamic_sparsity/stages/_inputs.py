"""What the stages that read stores share: stores are opened, and must have been made for the stage's study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.stores import agreement
from dynamic_sparsity.stores.opening import open_store
from dynamic_sparsity.stores.runs import open_seeds
from dynamic_sparsity.stores.schema import RUN


def open_inputs(
    stage: Section, paths: Mapping[str, Sequence[Path]], run: Sequence[str] = RUN
) -> dict[str, list[xr.Dataset]]:
    """Stores by their kind, in the order of their seeds, once they agree with `stage` and with each other.

    `run` names the attributes in which they must agree. Raises UserError naming what they disagree in.
    """
    opened = {kind: open_seeds(of_kind, kind) for kind, of_kind in paths.items()}
    agreement.check([store for of_kind in opened.values() for store in of_kind], agreement.settings_in(stage), run=run)
    return opened


def open_input(stage: Section, path: Path, kind: str) -> xr.Dataset:
    """The one store of a kind that a stage reads."""
    return open_inputs(stage, {kind: [path]})[kind][0]


def open_upstream(upstream: dict[str, Any], paths: Sequence[Path]) -> list[xr.Dataset]:
    """The stores of all kinds, tasks and policies that a table or figure reads, as they are given."""
    opened = [open_store(path) for path in paths]
    agreement.check(opened, agreement.settings_upstream(upstream), run=())
    return opened
