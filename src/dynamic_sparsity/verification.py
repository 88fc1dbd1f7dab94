"""Whether a store is sound: every file the one that was written, every chunk decoded, and nothing outside it looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity import layout, stores
from dynamic_sparsity.errors import UserError, printable, quoted


def verify_store(path: Path) -> list[str]:
    """What is wrong with a store, in words: files missing, altered or unknown, chunks that do not decode. Empty when sound.

    Nothing is decoded of a store of which any file was altered.
    """
    try:
        if problems := wrong_files(path, stores.checked_attributes(path).get(stores.DIGESTS)):
            return problems
        dataset = stores.open_store(path)
    except UserError as error:
        return [str(error)]
    problems = []
    for name in dataset.variables:
        try:
            _read_through(dataset[name])
        except Exception as error:  # any codec's error means the same here
            problems.append(f"{path}: {quoted(name)} does not decode: {printable(error):.500}")
    return problems


def wrong_files(path: Path, digests: Any) -> list[str]:
    """How the files of a store differ from its list of them. No path is made of a name in the list: it may lead outside."""
    if not isinstance(digests, dict):
        return [f"{path} has no list of its files: it was not written by this package, or its zarr.json was altered"]
    present = {str(file.relative_to(path)): file for file in stores.files_of(path)}
    del present[layout.ROOT]  # it holds the list
    problems = []
    for name in sorted(digests.keys() | present):
        file = present.get(name)
        if file is None:
            parts = name.split("/")
            outside = ", and would not lie in the store: it was not looked for" if {"", ".."} & {*parts} else ""
            problems.append(f"{path}/{printable(name):.300} is missing{outside}")
        elif name not in digests:
            if not file.name.startswith("."):  # of a file manager; zarr does not read it
                problems.append(f"{path}/{printable(name):.300} is not in the store's list of its files")
        elif wrong := _altered(file, digests[name]):
            problems.append(f"{path}/{printable(name):.300} {wrong}")
    return problems


def _altered(file: Path, digest: Any) -> str | None:
    try:
        return None if stores.sha256(file) == digest else "has been altered"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _read_through(array: xr.DataArray) -> None:
    """Decode an array in the pieces whose size `layout.check_arrays` bounds: along the first dim, chunk by chunk."""
    if not array.dims:
        array.load()
        return
    first, step = array.dims[0], array.encoding.get("chunks", (1,))[0]
    for start in range(0, array.sizes[first], step):
        array.isel({first: slice(start, start + step)}).load()
