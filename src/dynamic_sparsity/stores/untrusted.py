"""Whether what a Zarr group announces can be read without harm: asked before zarr and its codecs see any of it.

A store that this package wrote is made of files of its own, of arrays of numbers and strings in pieces of at most 2 GiB,
and of four ways to encode a chunk. Anything else is refused here: links and pipes, other codecs, chunks of 10¹⁵ elements,
and compressed chunks that announce another size than their array does.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numcodecs import Zstd

from dynamic_sparsity.errors import quoted
from dynamic_sparsity.stores.layout import ROOT, RefusedError, read_metadata
from dynamic_sparsity.stores.metadata import ArrayMetadata, ShardConfiguration, problem

_LARGEST_PIECE = 2**31
"""Bytes that are decoded at a time: Blosc, with which every large array is compressed, takes no more. An array may be of any
size on disk: masks of nothing but zeros take no bytes, so the ratio to the announced size says nothing."""
_MOST_PIECES = 2**17
"""Along the first dim, and in a shard; config.yaml allows 100,000 episodes."""
_LONGEST_INDEX = 2**22
"""Elements of a coordinate that xarray reads as it opens a store; config.yaml allows a million steps."""
_LARGEST_STRINGS = 2**26

_ITEM_BYTES = {"bool": 1, "string": 16} | {
    f"{kind}{bits}": bits // 8
    for kind, sizes in {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}.items()
    for bits in sizes
}
_IN_SHARDS = (["bytes", "blosc"], ["transpose", "bytes", "blosc"])
_ALONE = (["bytes"], ["bytes", "zstd"], ["vlen-utf8", "zstd"], *_IN_SHARDS)
_INDEX = ["bytes", "crc32c"]
_CHUNK = re.compile(r"c([/.][0-9]+)*")
"""Names within an array by which zarr asks for chunks (chunk key encoding `default`); it reads no other file there."""


def check_arrays(store: Path) -> None:
    """Raise ValueError, in words, unless every array can be read piece by piece; ask `check_files` before."""
    for file in sorted(store.glob(f"*/{ROOT}")):
        name = file.parent.name
        metadata = read_metadata(file)
        if wrong := problem(ArrayMetadata, metadata):
            raise ValueError(f"the metadata of array {quoted(name)} {wrong}")
        try:
            _check_array(file.parent, metadata)
        except ValueError as error:
            raise ValueError(f"array {quoted(name)} {error}") from None


def check_files(store: Path) -> None:
    """Raise RefusedError where something in `store` is neither file nor directory: a link may lead out, a pipe never ends.

    Raises OSError for a folder that cannot be read: what it holds is not known.
    """

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(store, onerror=refuse):
        for entry in (Path(folder, name) for name in (*folders, *files)):
            name = quoted(str(entry.relative_to(store)))
            if entry.is_symlink():
                raise RefusedError(f"{name} is a link, which may lead out of the store; copy what it means in its place")
            if not (entry.is_dir() or entry.is_file()) and entry.exists():  # else gone since: NFS removes its own files
                raise RefusedError(f"{name} is neither a file nor a directory; take it out")


def _check_array(directory: Path, metadata: dict[str, Any]) -> None:
    shape, outer = metadata["shape"], metadata["chunk_grid"]["configuration"]["chunk_shape"]
    names, codecs = metadata.get("dimension_names", []), metadata["codecs"]
    chunk = _inner_chunk(outer, codecs)
    if not len(shape) == len(outer) == len(chunk) == len(names):
        raise ValueError(f"has shape {quoted(shape)}, chunks {quoted(chunk)} and dims {quoted(names)}: not of one rank")
    if metadata["data_type"] not in _ITEM_BYTES:
        raise ValueError(f"has the data type {quoted(metadata['data_type'])}, known are {', '.join(_ITEM_BYTES)}")
    item = _ITEM_BYTES[metadata["data_type"]]
    if names == [directory.name] and shape[0] > _LONGEST_INDEX:
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
    if codecs[-1]["name"] == "zstd":
        _check_zstd(directory, math.prod(chunk), None if metadata["data_type"] == "string" else item)


def _inner_chunk(outer: list[int], codecs: list[dict[str, Any]]) -> list[int]:
    """Shape of what is decoded at a time; raises ValueError unless the codecs are those that stores are written with."""
    names = _names(codecs)
    if names == ["sharding_indexed"]:
        inside = codecs[0].get("configuration", {})
        if wrong := problem(ShardConfiguration, inside):
            raise ValueError(f"has shards whose configuration {wrong}")
        within, index = _names(inside["codecs"]), _names(inside["index_codecs"])
        if within not in _IN_SHARDS or index != _INDEX:
            raise ValueError(f"has shards with the codecs {quoted(within)} and {quoted(index)}, which no store of ours has")
        return inside["chunk_shape"]
    if names not in _ALONE:
        raise ValueError(f"has the codecs {quoted(names)}, which no store of ours has")
    return outer


def _names(codecs: list[dict[str, Any]]) -> list[Any]:
    return [codec.get("name") for codec in codecs]


def _check_zstd(array: Path, elements: int, item: int | None) -> None:
    """Raise ValueError unless every chunk announces the size that it must have: its decoder allocates what is announced.

    Strings are of any length (`item` is None), but their number is announced as well, and allocated.
    """
    for file in _chunk_files(array):
        where = quoted(str(file.relative_to(array)))
        limit = _LARGEST_STRINGS if item is None else elements * item
        if (size := file.stat().st_size) > 2 * limit + 1024:
            raise ValueError(f"has {size} bytes in {where}, for at most {limit} decoded")
        content = file.read_bytes()
        announced = zstd_content_size(content)
        if announced is None or (announced > limit if item is None else announced != limit):
            raise ValueError(f"announces {announced} decoded bytes in {where}, expected {limit}{' at most' * (not item)}")
        if item is None:
            strings = Zstd().decode(content)
            if strings[:4] != struct.pack("<I", elements):
                raise ValueError(f"announces another number of strings in {where} than the {elements} of its chunks")


def _chunk_files(array: Path) -> Iterator[Path]:
    """What zarr may read as a chunk: not what a file manager, an editor or NFS has left beside one."""
    named = (file for file in sorted(array.rglob("*")) if _CHUNK.fullmatch(file.relative_to(array).as_posix()))
    return (file for file in named if file.is_file())


def zstd_content_size(content: bytes) -> int | None:
    """What a Zstandard frame (RFC 8878, section 3.1.1) announces as its decoded size.

    None where it does not, or where `content` is anything but one frame: a second one would announce more.
    """
    try:
        magic, descriptor = struct.unpack_from("<IB", content)
        single, flag = descriptor >> 5 & 1, descriptor >> 6
        if magic != 0xFD2FB528 or descriptor & 3 or not (single or flag):
            return None
        place = 5 if single else 6
        width = 1 << flag if flag or single else 0
        (size,) = struct.unpack_from({1: "<B", 2: "<H", 4: "<I", 8: "<Q"}[width], content, place)
        place, last = place + width, False
        while not last:
            block = int.from_bytes(struct.unpack_from("3s", content, place)[0], "little")
            last, repeated = bool(block & 1), block >> 1 & 3 == 1
            place += 3 + (1 if repeated else block >> 3)
    except struct.error:
        return None
    whole = place + (4 if descriptor & 4 else 0) == len(content)
    return (size + 256 if width == 2 else size) if whole else None
