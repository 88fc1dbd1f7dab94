"""Whatever a store from others holds, opening it gives a sound dataset or one UserError.

Whoever writes a store can compute its digests, so these tests update the digests of the stores that they change.
"""

import contextlib
import json
import os
import shutil

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.stores.digests import sha256
from dynamic_sparsity.stores.metadata import DIGESTS, parsed
from dynamic_sparsity.stores.runs import open_seeds
from dynamic_sparsity.stores.untrusted import open_untrusted
from dynamic_sparsity.stores.verification import verify_store
from tests.helpers.hostile import (
    ANYTHING,
    GONE,
    MUTATIONS,
    SECRET,
    VALUES,
    command,
    mutated,
    nested,
)
from tests.helpers.hostile_stores import a_copy, seal, use_all_ways
from tests.helpers.stores import change


def test_an_unchanged_copy_is_sound(sound):
    with a_copy(sound) as store:
        assert use_all_ways(seal(store)) is not None
        assert command(store, "verify", str(store)) is None
        assert [data.attrs["seed"] for data in open_seeds([store, store], "jacobians")] == [4, 4]


@given(MUTATIONS)
def test_any_attributes(sound, mutations):
    with a_copy(sound) as store:
        root = store / "zarr.json"
        root.write_text(json.dumps(mutated(json.loads(root.read_text()), mutations)))
        use_all_ways(store)


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
def test_an_attribute_of_another_type_is_one_message(sound, key, value):
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
def test_a_list_of_files_that_is_not_a_list(sound, digests):
    with a_copy(sound) as store:
        change(store / "zarr.json", f"attributes.{DIGESTS}", digests)
        assert use_all_ways(store) is None


def test_a_file_that_is_not_in_the_list_is_named(sound):
    with a_copy(sound) as store:
        (store / "jacobian/c/0/0/0/1").write_bytes(b"more")
        (store / ".DS_Store").touch()
        assert verify_store(store) == [f"{store}/jacobian/c/0/0/0/1 is not in the store's list of its files"]


def test_of_a_store_with_an_altered_file_nothing_is_decoded(sound, monkeypatch):
    with a_copy(sound) as store:
        (store / "episode/c/0").write_bytes(bytes(2))
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
    """Not even if numcodecs' own guard is switched off, which an environment variable can do."""
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
