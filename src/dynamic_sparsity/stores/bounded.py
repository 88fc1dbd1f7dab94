"""Decompressors for stores from others: no chunk takes more memory than the metadata of its array allows.

Zarr's own codecs allocate what the header of a chunk announces, up to 2⁶² bytes for a file of 20. Here numcodecs first
decompresses a chunk into memory of the size that it may take, which raises an error where that is not enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct

import numpy as np
import zarr
from numcodecs import Blosc, Zstd
from zarr.codecs import BloscCodec, ZstdCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.registry import register_codec

_LARGEST_STRINGS = 2**26
"""Most bytes in a chunk of strings."""


class BoundedBloscCodec(BloscCodec):
    """`BloscCodec`; raises RuntimeError or ValueError where a chunk holds more than it may."""

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        await _check_size(Blosc(), chunk_bytes, chunk_spec)
        return await super()._decode_single(chunk_bytes, chunk_spec)


class BoundedZstdCodec(ZstdCodec):
    """`ZstdCodec`; raises RuntimeError or ValueError where a chunk holds more than it may."""

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        await _check_size(Zstd(), chunk_bytes, chunk_spec)
        content = await super()._decode_single(chunk_bytes, chunk_spec)
        strings = math.prod(chunk_spec.shape)
        # A chunk of strings begins with their number, and the codec that decodes it allocates that many.
        if _holds_strings(chunk_spec) and content[:4].to_bytes() != struct.pack("<I", strings):
            raise ValueError(f"a chunk announces another number of strings than {strings}")
        return content


def _holds_strings(chunk: ArraySpec) -> bool:
    return chunk.dtype.to_native_dtype().kind == "T"


async def _check_size(codec: Blosc | Zstd, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> None:
    """Raise RuntimeError or ValueError where a chunk holds more than it may, or does not decompress."""
    numbers = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
    room = np.empty(_LARGEST_STRINGS if _holds_strings(chunk_spec) else numbers, np.uint8)
    await asyncio.to_thread(codec.decode, chunk_bytes.as_numpy_array(), room)


_CODECS = {"blosc": BoundedBloscCodec, "zstd": BoundedZstdCodec}
for _name, _codec in _CODECS.items():
    register_codec(_name, _codec, qualname=_codec.__qualname__)


def bounded_codecs() -> contextlib.AbstractContextManager[object]:
    """Arrays that are opened in this context are decompressed by the codecs above, whenever they are read."""
    return zarr.config.set({f"codecs.{name}": codec.__qualname__ for name, codec in _CODECS.items()})
