"""How arrays lie on disk: chunks, shards, compression."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec, TransposeCodec

from dynamic_sparsity.stores.attributes import encoded
from dynamic_sparsity.stores.schema import EPISODE, TIME, labels

SHARD_BYTES = 32 * 2**20

RAGGED_DIM, _RAGGED_CHUNK = "run", 2**18

_AS_TEXT = ("episode_seed",)
"""Variables of 64-bit numbers, which netCDF 3 lacks; they are written as decimal digits."""


def portable(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset in types that Zarr v3 and netCDF 3 can both hold, without the encodings it was read with.

    Zarr v3 does not specify strings of fixed width. NetCDF takes no mappings as attributes, and netCDF 3 no unsigned
    numbers.
    """
    fixed = {name: (c.dims, labels(c.values)) for name, c in dataset.coords.items() if c.dtype.kind in "UO"}
    digits = {
        name: (dataset[name].dims, labels(map(str, dataset[name].values.tolist())))
        for name in _AS_TEXT
        if name in dataset and dataset[name].dtype.kind == "u"
    }
    signed = {name: array.astype(np.int16) for name, array in dataset.data_vars.items() if array.dtype == np.uint8}
    written = dataset.assign_coords(fixed).assign({**digits, **signed}).drop_encoding()
    written.attrs = encoded(dataset.attrs)
    return written


def encoding_of(dataset: xr.Dataset, len_shard: int | None) -> dict[str, dict[str, Any]]:
    """xarray's encoding of every variable, with `len_shard` episodes in a shard, or all of them if it is None."""
    return {str(name): _array_encoding(array, len_shard) for name, array in dataset.data_vars.items()}


def _array_encoding(array: xr.DataArray, len_shard: int | None) -> dict[str, Any]:
    """One episode per chunk, `len_shard` episodes per shard, time last on disk, bits shuffled before zstd."""
    dims = list(array.dims)
    if (array.size == 0 and RAGGED_DIM not in dims) or array.dtype.kind not in "biuf":
        return {}
    by_episode = EPISODE in dims
    chunks = tuple(1 if dim == EPISODE else _RAGGED_CHUNK if dim == RAGGED_DIM else array.sizes[dim] for dim in dims)
    blosc = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=array.dtype.itemsize)
    encoding: dict[str, Any] = {"chunks": chunks, "compressors": [blosc]}
    if by_episode:
        length = len_shard or array.sizes[EPISODE]
        encoding["shards"] = tuple(length if dim == EPISODE else array.sizes[dim] for dim in dims)
    if TIME in dims and dims[-1] != TIME:
        order = [*(i for i, dim in enumerate(dims) if dim != TIME), dims.index(TIME)]
        encoding["filters"] = [TransposeCodec(order=tuple(order))]
    return encoding
