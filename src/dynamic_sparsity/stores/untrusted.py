"""Opening stores from others, once nothing in them can do harm.

A store that this package writes consists of regular files, which hold arrays of numbers or strings in pieces of at most
2 GiB, encoded by few codecs. Everything else is refused before zarr or a codec sees it: links and pipes, other codecs,
chunks of 10¹⁵ elements. The codecs in `bounded` then decode chunks and allocate no more than their array allows.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.stores import opening
from dynamic_sparsity.stores.attributes import DIGESTS
from dynamic_sparsity.stores.bounded import bounded_codecs
from dynamic_sparsity.stores.comparison import missing
from dynamic_sparsity.stores.layout import ROOT, RefusedError, read_metadata
from dynamic_sparsity.stores.metadata import ArrayMetadata, ShardConfiguration, problem
from dynamic_sparsity.stores.reading import damaged, reading

_LARGEST_PIECE = 2**31
"""Most bytes that are decoded at a time: Blosc, which compresses every data array, takes no more. An array may have any
size on disk: a mask of zeros takes no bytes, so its size on disk says nothing about its decoded size."""
_LARGEST_FILE = 2**32
"""Most bytes of a file, which zarr may read as a whole. A sparse file takes memory, though no room on the disk."""
_MOST_PIECES = 2**17
"""Most pieces along the first dim, and in a shard; config.yaml allows 100,000 episodes."""
_LONGEST_INDEX = 2**22
"""Most elements of a coordinate, which xarray reads when it opens a store; config.yaml allows a million steps."""

_ITEM_BYTES = {"bool": 1, "string": 16} | {
    f"{kind}{bits}": bits // 8
    for kind, sizes in {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}.items()
    for bits in sizes
}
_IN_SHARDS = (["bytes", "blosc"], ["transpose", "bytes", "blosc"])
_ALONE = (["bytes"], ["bytes", "zstd"], ["vlen-utf8", "zstd"], *_IN_SHARDS)
_INDEX = ["bytes", "crc32c"]


def open_untrusted(path: Path, kind: str | None = None) -> xr.Dataset:
    """Open a store lazily, as `opening.open_store` does, whoever wrote it.

    Raises UserError where `open_store` does, if a listed file is missing, and where `check_files` or `check_arrays` finds
    something that this package does not write.
    """
    attributes = attributes_of(path, kind)
    with reading(path):
        if DIGESTS in attributes and (lost := missing(path, attributes[DIGESTS])):
            raise UserError(damaged(path, lost[0]))
        check_arrays(path)
    with bounded_codecs():
        return opening.open_arrays(path, attributes)


def attributes_of(path: Path, kind: str | None = None) -> dict[str, Any]:
    """The attributes of a store, decoded and checked, if `check_files` finds nothing in it.

    Raises UserError, as `open_untrusted` does. Reads no file but the `zarr.json` of the root.
    """
    attributes = opening.attributes_of(path, kind)
    with reading(path):
        check_files(path)
    return attributes


def check_arrays(store: Path) -> None:
    """Raise ValueError, in words, unless every array can be read piece by piece. Call `check_files` first."""
    for file in sorted(store.glob(f"*/{ROOT}")):
        name = file.parent.name
        metadata = read_metadata(file)
        if wrong := problem(ArrayMetadata, metadata):
            raise ValueError(f"the metadata of array {quoted(name)} {wrong}")
        try:
            _check_array(name, metadata)
        except ValueError as error:
            raise ValueError(f"array {quoted(name)} {error}") from None


def check_files(store: Path) -> None:
    """Raise RefusedError unless `store` holds nothing but directories and files of a sensible size.

    A link may lead out of the store, and a pipe never ends. Raises OSError for a folder that cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(store, onerror=refuse):
        for entry in (Path(folder, name) for name in (*folders, *files)):
            name = quoted(str(entry.relative_to(store)))
            if entry.is_symlink():
                raise RefusedError(f"{name} is a link, which may lead out of the store; replace it by a copy of its target")
            if not (entry.is_dir() or entry.is_file()) and entry.exists():  # else NFS has removed a file of its own
                raise RefusedError(f"{name} is neither a file nor a directory; remove it")
            if entry.is_file() and (size := entry.stat().st_size) > _LARGEST_FILE:
                raise RefusedError(f"{name} has {size} bytes, at most {_LARGEST_FILE} are read")


def _check_array(array: str, metadata: dict[str, Any]) -> None:
    shape, outer = metadata["shape"], metadata["chunk_grid"]["configuration"]["chunk_shape"]
    names, codecs = metadata.get("dimension_names", []), metadata["codecs"]
    chunk = _inner_chunk(outer, codecs)
    if not len(shape) == len(outer) == len(chunk) == len(names):
        raise ValueError(f"has shape {quoted(shape)}, chunks {quoted(chunk)} and dims {quoted(names)}: not of one rank")
    if metadata["data_type"] not in _ITEM_BYTES:
        raise ValueError(f"has the data type {quoted(metadata['data_type'])}, known are {', '.join(_ITEM_BYTES)}")
    item = _ITEM_BYTES[metadata["data_type"]]
    if names == [array] and shape[0] > _LONGEST_INDEX:
        raise ValueError(f"announces {shape[0]} labels, at most {_LONGEST_INDEX} are read")
    piece = item * math.prod([*chunk[:1], *map(max, shape[1:], chunk[1:])])
    if piece > _LARGEST_PIECE:
        raise ValueError(
            f"announces pieces of {piece:.2g} bytes (shape {quoted(shape)}, chunks {quoted(chunk)}), at most"
            f" {_LARGEST_PIECE} are read at a time"
        )
    pieces = -(-shape[0] // chunk[0]) if shape else 1
    in_shard = math.prod(-(-whole // part) for whole, part in zip(outer, chunk, strict=True))
    if max(pieces, in_shard) > _MOST_PIECES:
        raise ValueError(f"announces {max(pieces, in_shard):.2g} pieces, at most {_MOST_PIECES} are read")


def _inner_chunk(outer: list[int], codecs: list[dict[str, Any]]) -> list[int]:
    """Shape of the piece that is decoded at a time. Raises ValueError unless stores are written with these codecs."""
    names = _names(codecs)
    if names == ["sharding_indexed"]:
        inside = codecs[0].get("configuration", {})
        if wrong := problem(ShardConfiguration, inside):
            raise ValueError(f"has shards whose configuration {wrong}")
        within, index = _names(inside["codecs"]), _names(inside["index_codecs"])
        if within not in _IN_SHARDS or index != _INDEX:
            raise ValueError(f"has shards with codecs {quoted(within)} and {quoted(index)}: no store is written with these")
        return inside["chunk_shape"]
    if names not in _ALONE:
        raise ValueError(f"has the codecs {quoted(names)}: no store is written with these")
    return outer


def _names(codecs: list[dict[str, Any]]) -> list[Any]:
    return [codec.get("name") for codec in codecs]
