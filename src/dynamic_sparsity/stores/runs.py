"""The runs that stores belong to: the attributes that stores of one run share, and the episodes of a store."""

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
    """Attributes that identify the run of all stores: those in `names` that at least one store has.

    Raises UserError, which names two stores, if these have different values.
    """
    shared: dict[str, Any] = {}
    for name in names:
        with_attribute = [dataset for dataset in datasets if name in dataset.attrs]
        for dataset in with_attribute:
            value = shared.setdefault(name, dataset.attrs[name])
            if dataset.attrs[name] != value:
                raise UserError(
                    f"{source_of(dataset)} is of {name} {quoted(dataset.attrs[name])}, {source_of(with_attribute[0])}"
                    f" of {quoted(value)}: pass stores of one run, and delete one that was copied to the wrong place"
                )
    return shared


def identity_of(*datasets: xr.Dataset) -> dict[str, Any]:
    """Attributes that identify the run of these stores, for a store made from them. Several seeds become `seeds`.

    Raises UserError for stores of different runs.
    """
    versions = [dataset.attrs.get("simulator_versions", {}) for dataset in datasets]
    shared = {
        **{name: value for name, value in shared_identity(datasets).items() if name != "variant"},
        "simulator_versions": functools.reduce(operator.or_, reversed(versions)),
    }
    if len(datasets) == 1 and "seed" in datasets[0].attrs:
        return {**shared, "seed": datasets[0].attrs["seed"]}
    return {**shared, "seeds": [dataset.attrs["seed"] for dataset in datasets]}


def open_seeds(paths: Sequence[Path], kind: str) -> list[xr.Dataset]:
    """Open stores of one kind, in the order of their study seeds; stores without a seed stay in the order of `paths`."""
    return sorted((open_store(path, kind) for path in paths), key=lambda dataset: dataset.attrs.get("seed", 0))


def joined_runs(datasets: Iterable[xr.Dataset], *kinds: str) -> dict[tuple[str, str], tuple[xr.Dataset, ...]]:
    """The stores of these kinds for each (task, policy), in the order of the stores of the first kind."""
    stores = {(data.attrs["kind"], data.attrs["task"], data.attrs["policy"]): data for data in datasets}
    runs = [(task, policy) for kind, task, policy in stores if kind == kinds[0]]
    return {run: tuple(stores[kind, *run] for kind in kinds) for run in runs}


def episodes_of(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Each episode, loaded and cut to its length. One episode is in memory at a time."""
    for number in range(dataset.sizes[EPISODE]):
        with reading(source_of(dataset)):
            episode = dataset.isel({EPISODE: number, TIME: slice(int(dataset.length[number]))}).load()
        yield episode
