"""Writing stores, as a whole or episode by episode. A store appears under its name only when it is complete."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
import zarr

from dynamic_sparsity.files.locks import check_not_refused, lock
from dynamic_sparsity.stores import layout
from dynamic_sparsity.stores.attributes import DIGESTS
from dynamic_sparsity.stores.digests import files_of, sha256
from dynamic_sparsity.stores.encoding import RAGGED_DIM, SHARD_BYTES, encoding_of, portable
from dynamic_sparsity.stores.schema import EPISODE


def write_store(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset that fits in memory. The store appears under its name only when it is complete."""
    dataset = portable(dataset)
    with _Unfinished(path) as unfinished:
        encoding = encoding_of(dataset, len_shard=None)
        dataset.to_zarr(unfinished, mode="a", zarr_format=3, consolidated=False, encoding=encoding)


class EpisodeWriter:
    """Writes a store episode by episode. Memory holds one shard, however many episodes there are.

    Use it as a context manager: the store appears under its name when the block ends without an error. An episode may
    also have ragged variables along the dim `run`, with any number of elements, which are appended to those of the
    episodes before.
    """

    def __init__(self, path: Path, episodes: int, attrs: dict[str, Any]) -> None:
        self._unfinished = _Unfinished(path)
        self._episodes, self._attrs = episodes, attrs
        self._held: list[xr.Dataset] = []
        self._held_ragged: list[xr.Dataset] = []
        self._written = 0

    def __enter__(self) -> EpisodeWriter:
        self._target = self._unfinished.__enter__()
        return self

    def write(self, episode: xr.Dataset, ragged: xr.Dataset | None = None) -> None:
        """Add the next episode. Coordinates are taken from the first one."""
        self._held.append(episode)
        if ragged is not None:
            self._held_ragged.append(ragged)
        if len(self._held) == self._per_shard(episode) or self._written + len(self._held) == self._episodes:
            self._flush()

    def _per_shard(self, episode: xr.Dataset) -> int:
        return max(1, min(self._episodes, SHARD_BYTES // max(1, episode.nbytes)))

    def _flush(self) -> None:
        first = self._written == 0
        stacked = xr.concat(self._held, dim=EPISODE, data_vars="all", coords="minimal", compat="override", join="exact")
        numbers = np.arange(self._written, self._written + len(self._held))
        if self._held_ragged:
            joined = xr.concat(self._held_ragged, dim=RAGGED_DIM)
            if first or joined.sizes[RAGGED_DIM]:
                self._append(joined, RAGGED_DIM, first)
        self._append(stacked.assign_coords({EPISODE: numbers}).assign_attrs(self._attrs), EPISODE, first)
        self._written += len(self._held)
        self._held, self._held_ragged = [], []

    def _append(self, dataset: xr.Dataset, dim: str, first: bool) -> None:
        options: dict[str, Any] = {"zarr_format": 3, "consolidated": False}
        dataset = portable(dataset)
        if first:
            dataset.to_zarr(self._target, mode="a", encoding=encoding_of(dataset, len_shard=len(self._held)), **options)
        else:
            fixed = [name for name in dataset.coords if dim not in dataset[name].dims]
            dataset.drop_vars(fixed).to_zarr(self._target, append_dim=dim, **options)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self._written != self._episodes:
            written = self._written + len(self._held)
            error = RuntimeError(f"{written} episodes written, {self._episodes} announced")
            self._unfinished.__exit__(type(error), error, None)
            raise error
        self._unfinished.__exit__(kind, error, trace)


class _Unfinished:
    """A directory beside the target, which is renamed to the target when the block ends without an error.

    The directory is locked while it is written. Suppose that a job outlives its killed snakemake, and that another job is
    started for the same target: the new job is refused, and the output of the old job, whose settings may differ, is
    discarded. What a dead job left behind is removed.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._beside = target.with_name(f".{target.name}.partial")

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if self._beside.exists():
            handle = lock(self._beside, str(self._target))
            shutil.rmtree(self._beside)
            os.close(handle)
        self._beside.mkdir()
        self._handle = lock(self._beside, str(self._target))
        return self._beside

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        finished = False
        try:
            if kind is None:
                self._finish()
                finished = True
        finally:
            if not finished:
                _clear(self._beside)
            os.close(self._handle)

    def _finish(self) -> None:
        root = self._beside / layout.ROOT  # holds the digests of the other files
        digests = {str(file.relative_to(self._beside)): sha256(file) for file in files_of(self._beside) if file != root}
        zarr.open_group(self._beside, mode="r+", use_consolidated=False).attrs[DIGESTS] = json.dumps(digests)
        check_not_refused(self._beside, str(self._target))
        if self._target.exists():
            shutil.rmtree(self._target)
        self._beside.rename(self._target)


def _clear(directory: Path) -> None:
    """Remove a directory. After an error in one of zarr's threads, other threads may still be writing there.

    Gives up at once if nothing can be removed, as on a disk that has become read-only.
    """
    deadline = time.monotonic() + 5
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        if not os.access(directory, os.W_OK):  # removed, or it cannot be removed
            return
        time.sleep(0.05)
