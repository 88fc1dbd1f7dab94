"""Opening stores that the pipeline wrote, of the requested kind and in the current schema.

Stages open stores with `open_store`, which walks no store and trusts the metadata of arrays.
`untrusted.open_untrusted` opens stores from others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.stores import layout, metadata
from dynamic_sparsity.stores.attributes import DIGESTS
from dynamic_sparsity.stores.comparison import missing_file
from dynamic_sparsity.stores.listed import ListedStore
from dynamic_sparsity.stores.reading import DELETE, damaged, reading
from dynamic_sparsity.stores.schema import LENGTH, SCHEMA_VERSION, TIME, VARIABLES

# Zarr opens all arrays of a group at once and raises the first error. Asyncio would log the others, with tracebacks.
logging.getLogger("asyncio").addFilter(lambda record: "coro=<_getitem_semaphore()" not in record.getMessage())


def is_store(path: Path) -> bool:
    """Whether there is a group at `path`, sound or not: neither an array inside a store nor any other directory."""
    try:
        root = layout.read_metadata(path / layout.ROOT)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, MemoryError):  # there is a file; opening it says why it cannot be read
        return True
    except ValueError:  # damaged metadata
        return path.suffix == ".zarr"
    return _is_group(root)


def open_store(path: Path, kind: str | None = None) -> xr.Dataset:
    """Open a store lazily; attributes that are mappings are mappings again (`metadata.decoded`).

    Raises UserError if the store is missing or cannot be read, if it is not of that kind and the current schema, if its
    attributes are not of the types in `metadata.StoreAttributes`, or if an array in `VARIABLES` is missing or has other
    dims. Reading a lost chunk later raises UserError as well (`listed`).
    """
    return open_arrays(path, attributes_of(path, kind))


def open_arrays(path: Path, attributes: dict[str, Any]) -> xr.Dataset:
    """Open the arrays of a store whose decoded attributes are `attributes`; raises UserError, as `open_store` does."""
    listed = attributes.get(DIGESTS, {})
    with reading(path):
        _check_arrays(path, listed)
        # Never read Zarr v2, whose filters may unpickle, even if its metadata lies beside that of v3.
        dataset = xr.open_zarr(ListedStore(path, listed), consolidated=False, zarr_format=3)
        dataset.attrs = attributes
        dataset.encoding["source"] = str(path)
        _check_variables(dataset)
        return dataset


def attributes_of(path: Path, kind: str | None = None) -> dict[str, Any]:
    """The attributes of a store, decoded and checked. Reads no file but the `zarr.json` of the root.

    Raises UserError, as `open_store` does.
    """
    with reading(path):
        try:
            root = layout.read_metadata(path / layout.ROOT)
        except (FileNotFoundError, NotADirectoryError):
            root = None
        if root is None or not _is_group(root):
            raise UserError(f"{path} is not a store (no zarr.json of a group): make it with snakemake, or check the path")
        written = root.get("attributes", {})
        if not isinstance(written, dict):
            raise ValueError(f"its attributes are {quoted(written)}")
        _check_kind(path, written, kind)
        attributes = metadata.decoded(written)
        model = metadata.ATTRIBUTES.get(str(attributes["kind"]), metadata.StoreAttributes)
        if wrong := metadata.problem(model, attributes):
            raise ValueError(f"it {wrong}")
        return attributes


def source_of(dataset: xr.Dataset) -> Path:
    """Where a dataset was opened, for messages."""
    return Path(dataset.encoding.get("source", "a dataset in memory"))


def _is_group(root: Any) -> bool:
    return isinstance(root, dict) and root.get("node_type") == "group"


def _check_kind(path: Path, attributes: dict[str, Any], requested: str | None) -> None:
    kind, schema = attributes.get("kind"), attributes.get("schema_version")
    if requested in (None, kind) and type(schema) is int and schema == SCHEMA_VERSION:
        return
    remedy = DELETE if requested in (None, kind) else "give one of the other kind"
    raise UserError(
        f"{path} holds {quoted(kind)} in schema version {quoted(schema)}, expected {quoted(requested or kind)} in"
        f" {SCHEMA_VERSION}: {remedy}"
    )


def _check_arrays(path: Path, listed: Iterable[str]) -> None:
    """Raise UserError unless the metadata of every listed array is there: zarr would ignore an array without it."""
    for name in (name for name in listed if name.endswith(f"/{layout.ROOT}")):
        if not (path / name).exists():
            raise UserError(damaged(path, missing_file(path, name)))


def _check_variables(dataset: xr.Dataset) -> None:
    for name, dims in VARIABLES.get(dataset.attrs["kind"], {}).items():
        if name not in dataset.variables:
            raise ValueError(f"it has no {name}")
        if dataset[name].dims != dims:
            raise ValueError(f"its {name} has the dims {quoted(dataset[name].dims)}, expected {', '.join(dims)}")
    if dataset.attrs["kind"] in VARIABLES:
        length, steps = dataset[LENGTH], dataset.sizes[TIME]
        if length.dtype.kind not in "iu" or ((length < 0) | (length > steps)).any():
            lengths = quoted(length.values.tolist())
            raise ValueError(f"its {LENGTH} {lengths} ({length.dtype}) should be whole numbers of steps, from 0 to {steps}")
