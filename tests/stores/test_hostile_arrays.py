"""Arrays that lie about their size, codecs or content give one message, and take no more memory than sound ones."""

import json
import os
import shutil
import struct
import tracemalloc

import google_crc32c
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import Blosc, Zstd

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.stores.digests import files_of
from dynamic_sparsity.stores.schema import labels
from dynamic_sparsity.stores.untrusted import open_untrusted
from dynamic_sparsity.stores.verification import verify_store
from dynamic_sparsity.stores.writing import write_store
from tests.helpers.hostile import (
    MUTATIONS,
    mutated,
)
from tests.helpers.hostile_stores import a_copy, seal, use_all_ways
from tests.helpers.stores import about, change


def test_every_sort_of_array_that_stages_write_is_accepted(tmp_path):
    dataset = xr.Dataset(
        {
            "seconds": ((), 3.0),
            "names": ("model", labels(["a", "b"])),
            "empty": (("time", "act"), np.zeros((5, 0))),
            "empty_ragged": ("run", np.zeros(0, np.int32)),
            "image": (("frame", "row", "rgb"), np.zeros((2, 3, 3), np.uint8)),
            "loss": (("time", "part"), np.ones((5, 2), np.float32)),
            "jacobian": (("episode", "time", "out_dim"), np.ones((3, 5, 2))),
            "seed": ("episode", np.arange(3, dtype=np.uint64)),
            "mask": (("episode", "time"), np.zeros((3, 5), bool)),
        },
        {"model": ["m", "n"], "threshold": [1e-3, 1e-2], "act": labels([]), "kind": ("part", ["x", "y"]), "one": 1.5},
        attrs=about("survival"),
    )
    write_store(tmp_path / "s.zarr", dataset)
    assert verify_store(tmp_path / "s.zarr") == []
    xr.testing.assert_identical(open_untrusted(tmp_path / "s.zarr").drop_attrs(), dataset.drop_attrs())


@given(st.sampled_from(["jacobian", "length", "episode", "out_dim"]), MUTATIONS)
def test_any_metadata_of_an_array(sound, name, mutations):
    with a_copy(sound) as store:
        metadata = store / name / "zarr.json"
        metadata.write_text(json.dumps(mutated(json.loads(metadata.read_text()), mutations)))
        use_all_ways(seal(store))


@given(st.data())
def test_chunks_of_any_bytes(sound, data):
    with a_copy(sound) as store:
        chunk = data.draw(st.sampled_from([file for file in files_of(store) if file.name != "zarr.json"]))
        content = bytearray(chunk.read_bytes())
        for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
            content[position] = data.draw(st.integers(0, 255))
        end = data.draw(st.integers(0, len(content)))
        chunk.write_bytes(data.draw(st.sampled_from([bytes(content), bytes(content[:end])]) | st.binary(max_size=40)))
        use_all_ways(seal(store))


@pytest.mark.parametrize(
    ("array", "key", "value", "expected"),
    [
        ("jacobian", "shape", [3, 10**15, 4, 6], "pieces of"),
        ("jacobian", "shape", [10**15, 5, 4, 6], "pieces, at most"),
        ("jacobian", "shape", [3, 5, 4], "one rank"),
        ("jacobian", "codecs.0.configuration.chunk_shape", [1, 10**15, 4, 6], "pieces of"),
        ("jacobian", "codecs.0.configuration.chunk_shape", [1, 5, 4], "one rank"),
        ("jacobian", "codecs.0.configuration.codecs.0.name", "numcodecs.pickle", "no store is written with"),
        ("length", "chunk_grid.configuration.chunk_shape", [10**15], "pieces, at most"),
        ("episode", "chunk_grid.configuration.chunk_shape", [10**15], "pieces of"),
        ("episode", "shape", [10**15], "labels, at most"),
        ("episode", "codecs", [{"name": "bytes"}, {"name": "gzip", "configuration": {"level": 5}}], "no store is written"),
        ("episode", "codecs", [], "no store is written"),
        ("episode", "data_type", "object", "known are"),
        (
            "episode",
            "data_type",
            {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}},
            "data_type",
        ),
        ("episode", "shape", [True], "shape.0 True"),
        ("episode", "shape", [2] * 40, "shape"),
        ("episode", "node_type", "group", "node_type 'group'"),
        ("length", "data_type", "float32", "whole numbers of steps"),
        ("length", "dimension_names", ["time"], "conflicting sizes|cannot be read"),
    ],
)
def test_an_array_of_absurd_size_allocates_nothing(sound, array, key, value, expected):
    with a_copy(sound) as store:
        change(store / array / "zarr.json", key, value)
        tracemalloc.start()
        assert use_all_ways(seal(store)) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**25
        with pytest.raises(UserError, match=expected):
            open_untrusted(store)


@pytest.mark.parametrize("lengths", [[5, -1, 5], [5, 6, 5], [2**31 - 1] * 3])
def test_a_length_that_is_not_a_number_of_steps(sound, lengths):
    with a_copy(sound) as store:
        shutil.rmtree(store / "length")
        attributes = json.loads((store / "zarr.json").read_text())["attributes"]
        lying = xr.Dataset({"length": ("episode", np.array(lengths, np.int32))}, attrs=attributes)
        lying.to_zarr(store, mode="a", consolidated=False, zarr_format=3)
        assert use_all_ways(seal(store)) is None
        with pytest.raises(UserError, match=r"length \[.*whole numbers of steps, from 0 to 5"):
            open_untrusted(store)


@pytest.mark.parametrize("name", ["length", "jacobian", "episode", "out_dim"])
def test_an_array_that_every_reader_needs_is_required(sound, name):
    with a_copy(sound) as store:
        shutil.rmtree(store / name)
        assert (use_all_ways(seal(store)) is None) == (name in ("length", "jacobian"))


def frame(size, block=b"\x01\x00\x00"):
    """A Zstandard frame that announces `size` bytes."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + block


ENCODE = Zstd().encode


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("episode", frame(2**62)),
        ("episode", frame(2**33)),
        ("episode", ENCODE(bytes(24)) + frame(2**33)),
        ("episode", ENCODE(bytes(2**24))),
        ("episode", b""),
        ("out_dim", ENCODE(struct.pack("<I", 2**32 - 1) + b"abcd")),
        ("out_dim", ENCODE(struct.pack("<II", 4, 2**32 - 1) + b"abcd")),
        ("out_dim", ENCODE(struct.pack("<I", 4) + b"".join(struct.pack("<I", 2) + b"\xff\xfe" for _ in range(4)))),
        ("out_dim", ENCODE(b"")),
    ],
)
def test_a_zstd_chunk_takes_no_more_memory_than_its_array_allows(sound, name, content):
    """Zarr's own codecs would allocate what a chunk announces: 2⁶² bytes, or 2³² strings."""
    with a_copy(sound) as store:
        (store / name / "c/0").write_bytes(content)
        tracemalloc.start()
        assert use_all_ways(seal(store)) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**25


@pytest.mark.parametrize("size", [12, 2**27, 2**31 - 1])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_blosc_chunk_takes_no_more_memory_than_its_array_allows(tmp_path, sharded, size):
    """The array's chunks have 24 bytes. Zarr's own codec would allocate what this one announces: up to 2 GiB."""
    dims, shape = (("episode", "time"), (2, 3)) if sharded else (("time",), (3,))
    write_store(tmp_path / "s.zarr", xr.Dataset({"x": (dims, np.ones(shape))}, attrs=about("survival")))
    chunk = Blosc(cname="zstd").encode(bytes(min(size, 2**27)))
    chunk = chunk[:4] + struct.pack("<I", size) + chunk[8:]  # what the header announces
    if sharded:  # one chunk of two, and their index
        index = struct.pack("<4Q", 0, len(chunk), 2**64 - 1, 2**64 - 1)
        chunk += index + struct.pack("<I", google_crc32c.value(index))
    (tmp_path / "s.zarr/x/c" / "/".join("0" * len(dims))).write_bytes(chunk)
    tracemalloc.start()
    (problem,) = verify_store(seal(tmp_path / "s.zarr"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "'x' does not decode" in problem and peak < 2**25


def test_a_sparse_file_is_not_read(sound):
    with a_copy(sound) as store:
        os.truncate(store / "episode/c/0", 2**22 + 1)  # sparse: it takes no room on the disk
        assert use_all_ways(store) is None
        with pytest.raises(UserError, match=r"'episode/c/0' has 4194305 bytes, at most 4194304 are read"):
            open_untrusted(store)
