"""Opens the input stores of a stage, and checks that they were made for its study."""

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
    """The stores by kind, in the order of their study seeds. `run` names the attributes in which they must agree.

    Raises UserError, which names the first difference, unless they agree with `stage` and with each other.
    """
    opened = {kind: open_seeds(of_kind, kind) for kind, of_kind in paths.items()}
    agreement.check([store for of_kind in opened.values() for store in of_kind], agreement.settings_in(stage), run=run)
    return opened


def open_input(stage: Section, path: Path, kind: str) -> xr.Dataset:
    """Like `open_inputs`, for a stage that reads one store."""
    return open_inputs(stage, {kind: [path]})[kind][0]


def open_upstream(upstream: dict[str, Any], paths: Sequence[Path]) -> list[xr.Dataset]:
    """The stores that a table or figure reads, of any kind, task and policy, in the order of `paths`."""
    opened = [open_store(path) for path in paths]
    agreement.check(opened, agreement.settings_upstream(upstream), run=())
    return opened
