"""Stores that lie: whatever one holds, reading it gives a sound dataset or one UserError; and what messages are made of.

Whoever wrote the file can compute its checksums, so that all that is damaged here is sealed again.
"""

import contextlib
import json
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import Blosc, Zstd

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.stores import bounded, untrusted
from dynamic_sparsity.stores.digests import files_of, sha256
from dynamic_sparsity.stores.metadata import DIGESTS, parsed
from dynamic_sparsity.stores.runs import episodes_of, identity_of, open_seeds
from dynamic_sparsity.stores.schema import labels
from dynamic_sparsity.stores.untrusted import open_untrusted
from dynamic_sparsity.stores.verification import verify_store
from dynamic_sparsity.stores.writing import EpisodeWriter, write_store
from tests.helpers.hostile import (
    ANYTHING,
    GONE,
    MUTATIONS,
    SECRET,
    VALUES,
    answer,
    check_message,
    command,
    directory,
    mutated,
    nested,
)
from tests.helpers.stores import about, an_episode, change


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound store, with bounds so low that an example takes no time."""
    path = tmp_path_factory.mktemp("stores") / "s.zarr"
    with EpisodeWriter(path, 3, about(a=1)) as writer:
        for number in range(3):
            writer.write(an_episode(number)[["jacobian", "length"]].drop_vars("activation", errors="ignore"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(untrusted, "_MOST_PIECES", 32)
        patch.setattr(untrusted, "_LARGEST_PIECE", 2**20)
        patch.setattr(untrusted, "_LARGEST_FILE", 2**22)
        patch.setattr(bounded, "_LARGEST_STRINGS", 2**16)
        patch.setattr(untrusted, "_LONGEST_INDEX", 2**10)
        yield path


@contextlib.contextmanager
def a_copy(store):
    with directory() as here:
        (here / SECRET).write_text("unread")
        yield Path(shutil.copytree(store, here / "s.zarr"))


def seal(store):
    """Write the true digests, as the writer does; returns the store."""
    digests = {str(file.relative_to(store)): sha256(file) for file in files_of(store)}
    del digests["zarr.json"]
    change(store / "zarr.json", f"attributes.{DIGESTS}", json.dumps(digests))
    return store


def use_all_ways(store):
    """Opens one store in every way there is; returns the dataset where it opens and everything in it can be read."""
    dataset = answer(store, lambda: open_untrusted(store))
    problems = answer(store, lambda: verify_store(store))
    assert problems is not None and (dataset is not None or problems)
    for problem in problems:
        check_message(problem, store)
    assert (command(store, "inspect", str(store)) is None) == (dataset is not None)
    if dataset is None or dataset.attrs["kind"] != "jacobians":
        return None
    assert identity_of(dataset)["seed"] == identity_of(dataset, dataset)["seeds"][0]
    episodes = answer(store, lambda: list(episodes_of(dataset)))
    return dataset if episodes is not None and not problems else None


def test_a_copy_that_is_not_damaged_is_sound(sound):
    with a_copy(sound) as store:
        assert use_all_ways(seal(store)) is not None
        assert command(store, "verify", str(store)) is None
        assert [data.attrs["seed"] for data in open_seeds([store, store], "jacobians")] == [4, 4]


def test_every_sort_of_array_that_stages_write_is_let_through(tmp_path):
    dataset = xr.Dataset(
        {
            "seconds": ((), 3.0),
            "names": ("model", labels(["a", "b"])),
            "none": (("time", "act"), np.zeros((5, 0))),
            "nobody": ("run", np.zeros(0, np.int32)),
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


@given(MUTATIONS)
def test_attributes_that_say_anything(sound, mutations):
    with a_copy(sound) as store:
        root = store / "zarr.json"
        root.write_text(json.dumps(mutated(json.loads(root.read_text()), mutations)))
        use_all_ways(store)


@given(st.sampled_from(["jacobian", "length", "episode", "out_dim"]), MUTATIONS)
def test_arrays_that_announce_anything(sound, name, mutations):
    with a_copy(sound) as store:
        metadata = store / name / "zarr.json"
        metadata.write_text(json.dumps(mutated(json.loads(metadata.read_text()), mutations)))
        use_all_ways(seal(store))


@given(st.data())
def test_chunks_of_any_bytes(sound, data):
    with a_copy(sound) as store:
        chunk = data.draw(st.sampled_from([file for file in files_of(store) if file.name != "zarr.json"]))
        content = bytearray(chunk.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
            content[place] = data.draw(st.integers(0, 255))
        end = data.draw(st.integers(0, len(content)))
        chunk.write_bytes(data.draw(st.sampled_from([bytes(content), bytes(content[:end])]) | st.binary(max_size=40)))
        use_all_ways(seal(store))


@given(st.binary(max_size=60), st.sampled_from(["zarr.json", "jacobian/zarr.json", "out_dim/zarr.json"]))
def test_metadata_of_any_bytes(sound, content, name):
    with a_copy(sound) as store:
        (store / name).write_bytes(content)
        assert use_all_ways(store) is None


ATTRIBUTES = [
    "kind",
    "schema_version",
    "settings",
    "versions",
    "simulator_versions",
    "task",
    "policy",
    "seed",
    "method",
    "variant",
]


@pytest.mark.parametrize("value", [GONE, *VALUES], ids=quoted)
@pytest.mark.parametrize("key", ATTRIBUTES)
def test_an_attribute_of_another_kind_is_one_message(sound, key, value):
    with a_copy(sound) as store:
        change(store / "zarr.json", f"attributes.{key}", value)
        assert use_all_ways(store) is None or (key, value) == ("versions", {})


@pytest.mark.parametrize("depth", [40, 985, 10**5])
@pytest.mark.parametrize("name", ["zarr.json", "jacobian/zarr.json"])
def test_metadata_nested_beyond_what_python_follows(sound, name, depth):
    with a_copy(sound) as store:
        text = (store / name).read_text().rstrip().removesuffix("}") + f', "more": {nested(depth)}}}'
        (store / name).write_text(text)
        assert use_all_ways(store) is None
        with pytest.raises(UserError, match="nested deeper than 32 levels"):
            open_untrusted(store)


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
def test_an_announcement_out_of_all_proportion_allocates_nothing(sound, array, key, value, expected):
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
def test_a_length_that_is_no_number_of_steps(sound, lengths):
    with a_copy(sound) as store:
        shutil.rmtree(store / "length")
        attributes = json.loads((store / "zarr.json").read_text())["attributes"]
        lying = xr.Dataset({"length": ("episode", np.array(lengths, np.int32))}, attrs=attributes)
        lying.to_zarr(store, mode="a", consolidated=False, zarr_format=3)
        assert use_all_ways(seal(store)) is None
        with pytest.raises(UserError, match=r"length \[.*whole numbers of steps, from 0 to 5"):
            open_untrusted(store)


@pytest.mark.parametrize("name", ["length", "jacobian", "episode", "out_dim"])
def test_what_every_reader_takes_for_granted_is_there(sound, name):
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
def test_a_compressed_chunk_that_announces_too_much_is_not_decoded(sound, name, content):
    """Its decoder would allocate what it announces: 2⁶² bytes, or as many strings as four bytes can count."""
    with a_copy(sound) as store:
        (store / name / "c/0").write_bytes(content)
        tracemalloc.start()
        assert use_all_ways(seal(store)) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**25


@pytest.mark.parametrize("size", [12, 2**27, 2**31 - 1])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_blosc_chunk_takes_no_more_memory_than_its_array_says(tmp_path, sharded, size):
    """Chunks have 24 bytes here. Zarr's own codec allocates what each announces: 128 MiB, or 2 GiB that are not there."""
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
        os.truncate(store / "episode/c/0", 2**22 + 1)  # takes no room
        assert use_all_ways(store) is None
        with pytest.raises(UserError, match=r"'episode/c/0' has 4194305 bytes, at most 4194304 are read"):
            open_untrusted(store)


@pytest.mark.parametrize(
    "name", [f"../{SECRET}", "{outside}", f"a/../../{SECRET}", "/etc/passwd", "x" * 5000, "\0", "\ud800", ""]
)
def test_verify_looks_for_no_file_outside_the_store(sound, name):
    with a_copy(sound) as store:
        name = name.format(outside=store.parent / SECRET)
        digests = json.loads(json.loads((store / "zarr.json").read_text())["attributes"][DIGESTS])
        lying = {**digests, name: sha256(store.parent / SECRET)}
        change(store / "zarr.json", f"attributes.{DIGESTS}", json.dumps(lying))
        assert use_all_ways(store) is None
        (problem,) = verify_store(store)
        assert "is missing" in problem
        assert ("not looked for" in problem) == (".." in name or name.startswith("/") or not name)


@pytest.mark.parametrize(
    "digests",
    [None, [], {}, {"jacobian/zarr.json": None}, "null", "[]", "{}", '{"jacobian/zarr.json": null}', "{", nested(40)],
    ids=lambda digests: str(digests)[:40],
)
def test_a_list_of_files_that_is_none(sound, digests):
    with a_copy(sound) as store:
        change(store / "zarr.json", f"attributes.{DIGESTS}", digests)
        assert use_all_ways(store) is None


def test_a_file_that_is_not_in_the_list_is_said(sound):
    with a_copy(sound) as store:
        (store / "jacobian/c/0/0/0/1").write_bytes(b"more")
        (store / ".DS_Store").touch()
        assert verify_store(store) == [f"{store}/jacobian/c/0/0/0/1 is not in the store's list of its files"]


def test_of_a_store_with_an_altered_file_nothing_is_decoded(sound, monkeypatch):
    with a_copy(sound) as store:
        (store / "episode/c/0").write_bytes(frame(2**62))
        monkeypatch.setattr(xr, "open_zarr", None)
        assert verify_store(store) == [f"{store}/episode/c/0 has been altered"]


@pytest.mark.parametrize("place", ["zarr.json", "jacobian/zarr.json", "jacobian/c/0/0/0/0", "jacobian", "jacobian/c"])
def test_a_link_out_of_a_store_is_not_followed(sound, place):
    with a_copy(sound) as store:
        outside = store.parent / SECRET
        outside.unlink()
        outside.mkdir()
        (store / place).rename(outside / "moved")
        (store / place).symlink_to(outside / "moved")
        assert use_all_ways(store) is None


@pytest.mark.parametrize("place", ["zarr.json", "jacobian/zarr.json", "jacobian/c/0/0/0/0"])
def test_a_pipe_is_not_waited_for(sound, place):
    with a_copy(sound) as store:
        (store / place).unlink()
        os.mkfifo(store / place)
        assert use_all_ways(store) is None


TRAP = b"cos\nmkdir\n(S'%s'\ntR."
"""A pickle (protocol 0) that makes a directory when it is read."""


def set_trap(group, sprung):
    """A Zarr v2 group with an array of strings, whose chunk is unpickled before it is decoded."""
    (group / "trap").mkdir(parents=True)
    (group / ".zgroup").write_text('{"zarr_format": 2}')
    (group / ".zattrs").write_text(json.dumps({"kind": "jacobians", "schema_version": 1}))
    (group / "trap/.zattrs").write_text('{"_ARRAY_DIMENSIONS": ["trap"]}')
    described = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "fill_value": "", "order": "C"}
    (group / "trap/.zarray").write_text(
        json.dumps({**described, "compressor": {"id": "pickle"}, "filters": [{"id": "vlen-utf8"}]})
    )
    (group / "trap/0").write_bytes(TRAP % str(sprung).encode())


def test_nothing_in_a_store_is_unpickled(sound, tmp_path, monkeypatch):
    """Not even where numcodecs' own guard has been opened, as by an environment variable."""
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True)
    set_trap(tmp_path / "old.zarr", tmp_path / "sprung")
    with contextlib.suppress(Exception):  # what comes out is no array
        xr.open_zarr(tmp_path / "old.zarr", consolidated=False, zarr_format=2).load()
    assert (tmp_path / "sprung").is_dir(), "the trap works"
    (tmp_path / "sprung").rmdir()
    assert command(tmp_path / "old.zarr", "inspect", str(tmp_path / "old.zarr")), "a group of v2 alone"
    with a_copy(sound) as store:
        set_trap(store, tmp_path / "sprung")
        use_all_ways(seal(store))
        (store / "zarr.json").unlink()
        assert use_all_ways(store) is None
    with a_copy(sound) as store:
        set_trap(store / "jacobian", tmp_path / "sprung")
        use_all_ways(seal(store))
        shutil.copy(store / "jacobian/trap/.zarray", store / "jacobian")
        (store / "jacobian/zarr.json").unlink()
        assert use_all_ways(seal(store)) is None
    assert not (tmp_path / "sprung").exists()


# What messages are made of


@given(ANYTHING)
def test_a_value_is_quoted_on_one_short_line(value):
    assert len(quoted(value)) < 2000 and quoted(value).isprintable()
    assert printable(value if not isinstance(value, int) else 0).isprintable()


@pytest.mark.parametrize(("depth", "fits"), [(16, True), (17, False), (990, False), (10**5, False)])
def test_json_is_read_to_a_depth(depth, fits):
    if fits:
        assert parsed(nested(depth), deepest=16) is not None
        return
    with pytest.raises(ValueError, match="deeper than 16"):
        parsed(nested(depth), deepest=16)
