"""Opening stores: of the kind that is asked for, by its schema, undamaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.stores import layout, metadata, untrusted
from dynamic_sparsity.stores.digests import missing
from dynamic_sparsity.stores.metadata import DIGESTS
from dynamic_sparsity.stores.reading import DELETE, damaged, reading
from dynamic_sparsity.stores.schema import LENGTH, SCHEMA_VERSION, TIME, VARIABLES


def is_store(path: Path) -> bool:
    """Whether there is a group at `path`, sound or not: neither an array inside a store nor any other directory."""
    try:
        found = layout.read_metadata(path / layout.ROOT)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, MemoryError):  # something is there; opening it says why it cannot be read
        return True
    except ValueError:  # metadata that was damaged
        return path.suffix == ".zarr"
    return isinstance(found, dict) and found.get("node_type") == "group"


def open_store(path: Path, kind: str | None = None) -> xr.Dataset:
    """Open a store lazily, whoever wrote it; attributes that are mappings are mappings again (`metadata.decoded`).

    Raises UserError when it is missing, unreadable, not of that kind and schema, or does not hold what it announces:
    its attributes are of the types of `metadata.StoreAttributes`, its arrays can be read without harm (`layout`), and what
    the kinds in `VARIABLES` promise is there.
    """
    attributes = checked_attributes(path, kind)
    with reading(path):
        if DIGESTS in attributes and (gone := missing(path, attributes[DIGESTS])):  # zarr would make up what it holds
            raise UserError(damaged(path, gone[0]))
        untrusted.check_arrays(path)
        # Of Zarr v2, whose filters may unpickle, nothing is read, even where it stands beside the metadata of v3.
        dataset = xr.open_zarr(path, consolidated=False, zarr_format=3)
        dataset.attrs = attributes
        dataset.encoding["source"] = str(path)
        _check_variables(dataset)
        return dataset


def checked_attributes(path: Path, kind: str | None = None) -> dict[str, Any]:
    """The attributes of a store, decoded, once they are sound and all its files its own; no other file is read.

    Raises UserError, as `open_store` does.
    """
    if not is_store(path):
        raise UserError(f"{path} is not a store (no zarr.json of a group): make it with snakemake, or check the path")
    with reading(path):
        written = layout.read_metadata(path / layout.ROOT).get("attributes", {})
        if not isinstance(written, dict):
            raise ValueError(f"its attributes are {quoted(written)}")
        _check_kind(path, written, kind)
        attributes = metadata.decoded(written)
        model = metadata.ATTRIBUTES.get(str(attributes["kind"]), metadata.StoreAttributes)
        if wrong := metadata.problem(model, attributes):
            raise ValueError(f"it {wrong}")
        untrusted.check_files(path)
        return attributes


def _check_kind(path: Path, attributes: dict[str, Any], wanted: str | None) -> None:
    kind, schema = attributes.get("kind"), attributes.get("schema_version")
    if wanted in (None, kind) and type(schema) is int and schema == SCHEMA_VERSION:
        return
    remedy = DELETE if wanted in (None, kind) else "give one of the other kind"
    raise UserError(
        f"{path} holds {quoted(kind)} in schema version {quoted(schema)}, expected {quoted(wanted or kind)} in"
        f" {SCHEMA_VERSION}: {remedy}"
    )


def _check_variables(dataset: xr.Dataset) -> None:
    for name, dims in VARIABLES.get(dataset.attrs["kind"], {}).items():
        if name not in dataset.variables:
            raise ValueError(f"it has no {name}")
        if dataset[name].dims != dims:
            raise ValueError(f"its {name} has the dims {quoted(dataset[name].dims)}, expected {', '.join(dims)}")
    if dataset.attrs["kind"] in VARIABLES:
        length, steps = dataset[LENGTH], dataset.sizes[TIME]
        if length.dtype.kind not in "iu" or ((length < 0) | (length > steps)).any():
            given = quoted(length.values.tolist())
            raise ValueError(f"its {LENGTH} {given} ({length.dtype}) should be whole numbers of steps, from 0 to {steps}")


def source_of(dataset: xr.Dataset) -> Path:
    """Where a dataset was opened, for messages."""
    return Path(dataset.encoding.get("source", "a dataset in memory"))
