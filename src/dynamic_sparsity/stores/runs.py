"""The runs that stores are of: what several of them share, and their episodes."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.stores.opening import open_store, source_of
from dynamic_sparsity.stores.reading import reading
from dynamic_sparsity.stores.schema import EPISODE, RUN, TIME


def shared_identity(datasets: Sequence[xr.Dataset], names: Sequence[str] = RUN) -> dict[str, Any]:
    """What stores say of the run that all of them describe: the attributes in `names` that any of them has.

    Raises UserError naming two stores that do not say the same.
    """
    shared: dict[str, Any] = {}
    for name in names:
        saying = [dataset for dataset in datasets if name in dataset.attrs]
        for dataset in saying:
            value = shared.setdefault(name, dataset.attrs[name])
            if dataset.attrs[name] != value:
                raise UserError(
                    f"{source_of(dataset)} is of {name} {quoted(dataset.attrs[name])}, {source_of(saying[0])} of"
                    f" {quoted(value)}: give stores of one run, and delete one that was copied to the wrong place"
                )
    return shared


def identity_of(*datasets: xr.Dataset) -> dict[str, Any]:
    """What stores say of the run they describe, for the store that is made of them; several seeds become `seeds`.

    Raises UserError for stores of different runs.
    """
    made = [dataset.attrs.get("simulator_versions", {}) for dataset in datasets]
    shared = {
        **{name: value for name, value in shared_identity(datasets).items() if name != "variant"},
        "simulator_versions": functools.reduce(operator.or_, reversed(made)),
    }
    if len(datasets) == 1 and "seed" in datasets[0].attrs:
        return {**shared, "seed": datasets[0].attrs["seed"]}
    return {**shared, "seeds": [dataset.attrs["seed"] for dataset in datasets]}


def open_seeds(paths: Sequence[Path], kind: str) -> list[xr.Dataset]:
    """Open the stores of several seeds of one task and policy, in the order of their seeds; others in the order given."""
    return sorted((open_store(path, kind) for path in paths), key=lambda dataset: dataset.attrs.get("seed", 0))


def joined_runs(datasets: Iterable[xr.Dataset], *kinds: str) -> dict[tuple[str, str], tuple[xr.Dataset, ...]]:
    """The stores of these kinds of each (task, policy), in the order in which the first kind's come."""
    found = {(data.attrs["kind"], data.attrs["task"], data.attrs["policy"]): data for data in datasets}
    runs = [(task, policy) for kind, task, policy in found if kind == kinds[0]]
    return {run: tuple(found[kind, *run] for kind in kinds) for run in runs}


def episodes_of(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Each episode, loaded, cut to its true length: one in memory at a time."""
    for number in range(dataset.sizes[EPISODE]):
        with reading(source_of(dataset)):
            episode = dataset.isel({EPISODE: number, TIME: slice(int(dataset.length[number]))}).load()
        yield episode
