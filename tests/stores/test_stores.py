"""Stores: data is read back as it was written, a store is complete or absent, and damage is found."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.stores import layout, opening, writing
from dynamic_sparsity.stores.digests import files_of
from dynamic_sparsity.stores.opening import open_store
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import SCHEMA_VERSION, labels
from dynamic_sparsity.stores.verification import verify_store
from dynamic_sparsity.stores.writing import EpisodeWriter, _clear, write_store
from tests.helpers.stores import about, an_episode, chunk_of, write


@pytest.mark.parametrize("shard_bytes", [1, 2500, 2**25])
def test_round_trip_with_any_sharding(tmp_path, monkeypatch, shard_bytes):
    monkeypatch.setattr(writing, "SHARD_BYTES", shard_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "s.zarr", episodes=5)
        dataset = open_store(tmp_path / "s.zarr", "jacobians").load()
    assert dataset.sizes["episode"] == 5
    for number in range(5):
        xr.testing.assert_equal(dataset.isel(episode=number).drop_vars("episode"), an_episode(number))
    assert dataset.jacobian.dtype == np.float64 and verify_store(tmp_path / "s.zarr") == []


def test_it_opens_with_plain_xarray_and_without_warnings(tmp_path):
    write(tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / ".snakemake_timestamp").touch()
    code = (
        "import sys; from pathlib import Path; from dynamic_sparsity.stores.opening import open_store\n"
        "open_store(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path / "s.zarr")], check=True)
    dataset = xr.open_zarr(tmp_path / "s.zarr", consolidated=False)
    assert dataset.jacobian.sel(out_dim="b", in_dim="f").sizes == {"episode": 3, "time": 5}
    assert dataset.attrs["seed"] == 4 and json.loads(dataset.attrs["versions"])["zarr"] == "3.1.6"


def test_episodes_are_cut_to_their_length(tmp_path):
    write(tmp_path / "s.zarr")
    assert [e.sizes["time"] for e in episodes_of(open_store(tmp_path / "s.zarr"))] == [5, 4, 5]


def test_jacobians_of_smooth_motion_take_less_room_than_their_bytes(tmp_path):
    time = np.linspace(0, 3, 1000)[:, None, None]
    values = np.sin(time * np.arange(1, 25).reshape(4, 6))
    with EpisodeWriter(tmp_path / "s.zarr", 2, about()) as writer:
        for _ in range(2):
            coords = {"out_dim": labels("abcd"), "in_dim": labels("abcdef")}
            arrays = {"jacobian": (("time", "out_dim", "in_dim"), values), "length": ((), np.int32(1000))}
            writer.write(xr.Dataset(arrays, coords))
    size = sum(file.stat().st_size for file in files_of(tmp_path / "s.zarr"))
    assert size < 2 * values.nbytes and len(files_of(tmp_path / "s.zarr")) < 12
    np.testing.assert_array_equal(open_store(tmp_path / "s.zarr").jacobian[1], values)


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(ZeroDivisionError), EpisodeWriter(path, 3, {}) as writer:
        writer.write(an_episode(0))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    write(path)
    with pytest.raises(RuntimeError, match="1 episodes written, 3 announced"), EpisodeWriter(path, 3, {}) as writer:
        writer.write(an_episode(0))
    assert verify_store(path) == [] and [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


def test_a_failure_at_the_very_end_leaves_nothing(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "sha256", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "s.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match=r"s.zarr.partial cannot be locked \(No locks available\)"):
        write(tmp_path / "s.zarr")


def test_what_a_killed_job_left_behind_is_removed(tmp_path):
    left = tmp_path / ".s.zarr.partial"
    left.mkdir()
    (left / "zarr.json").write_text("half")
    write(tmp_path / "s.zarr")
    assert not left.exists() and verify_store(tmp_path / "s.zarr") == []


def test_two_writers_of_one_store_never_mix(tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(UserError, match=r"s.zarr is not kept: .* for the same output since"):
        with EpisodeWriter(path, 2, about(a="old")) as orphan:
            orphan.write(an_episode(0))
            with pytest.raises(UserError, match="another process is writing"):
                write(path, episodes=3)
            orphan.write(an_episode(1))
    assert list(tmp_path.iterdir()) == [], "nobody knows which settings the first one had"
    write(path, episodes=3)
    assert open_store(path).sizes["episode"] == 3 and [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


def test_clearing_waits_for_other_threads_but_not_on_a_read_only_disk(tmp_path, monkeypatch):
    busy, turns = tmp_path / "busy", []

    def remove(path, ignore_errors):
        turns.append(path)
        if len(turns) == 3:
            path.rmdir()

    monkeypatch.setattr(shutil, "rmtree", remove)
    busy.mkdir()
    started = time.monotonic()
    _clear(busy)
    assert not busy.exists() and len(turns) == 3 and time.monotonic() - started > 0.09
    busy.mkdir()
    monkeypatch.setattr(writing.os, "access", lambda *_: False)  # root may write everywhere
    _clear(busy)
    assert len(turns) == 4


def test_metadata_too_large_for_any_store_is_not_read(tmp_path):
    write(tmp_path / "s.zarr")
    listed = rf"\"jacobian/c/99999/0/0/0\": \"{'0' * 64}\", "
    assert f' {listed.partition("99999")[0]}0/0/0/0\\": \\"' in (tmp_path / "s.zarr/zarr.json").read_text()
    assert 6 * 100_000 * len(listed) < layout._LARGEST_METADATA
    os.truncate(tmp_path / "s.zarr/zarr.json", 2**26 + 1)  # sparse: it takes no room
    with pytest.raises(UserError, match="67108865 bytes, at most 67108864 are read"):
        open_store(tmp_path / "s.zarr")


def test_verify_names_a_missing_chunk_a_flipped_byte_and_broken_metadata(tmp_path):
    write(tmp_path / "whole.zarr")
    for name in ("missing", "flipped", "metadata"):
        shutil.copytree(tmp_path / "whole.zarr", tmp_path / f"{name}.zarr")
    chunk_of(tmp_path / "missing.zarr").unlink()
    assert any("is missing" in p and "jacobian" in p for p in verify_store(tmp_path / "missing.zarr"))
    chunk = chunk_of(tmp_path / "flipped.zarr")
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    assert any("altered" in p and "jacobian" in p for p in verify_store(tmp_path / "flipped.zarr"))
    (tmp_path / "metadata.zarr" / "zarr.json").write_text("{")
    assert "cannot be read" in verify_store(tmp_path / "metadata.zarr")[0]
    assert "not a store" in verify_store(tmp_path / "nowhere.zarr")[0]


def test_a_store_of_another_kind_or_schema_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "s.zarr")
    with pytest.raises(UserError, match=r"'jacobians'.*expected 'rollouts'"):
        open_store(tmp_path / "s.zarr", "rollouts")
    monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(UserError, match="schema version 2, expected"):
        open_store(tmp_path / "s.zarr")


def test_ragged_variables_follow_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SHARD_BYTES", 1)
    with EpisodeWriter(tmp_path / "s.zarr", 4, about("durations")) as writer:
        for number, size in enumerate([0, 2, 0, 3]):
            ragged = xr.Dataset({"run_length": ("run", np.full(size, number, np.int32))})
            writer.write(an_episode(number), ragged=ragged)
    dataset = open_store(tmp_path / "s.zarr", "durations")
    assert dataset.run_length.values.tolist() == [1, 1, 3, 3, 3] and dataset.sizes["episode"] == 4
    assert len(files_of(tmp_path / "s.zarr" / "run_length")) == 2, "one chunk and its metadata"


def test_a_dataset_that_fits_in_memory(tmp_path):
    dataset = xr.Dataset({"x": (("value",), [1.0, np.nan])}, {"value": ["zero", "non-zero"]})
    dataset.attrs = about("survival")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_store(tmp_path / "s.zarr", dataset)
    assert open_store(tmp_path / "s.zarr", "survival").x.sel(value="zero") == 1.0


def test_chunks_of_fill_values_have_no_file_and_are_not_lost(tmp_path):
    write_store(
        tmp_path / "s.zarr", xr.Dataset({"mask": (("episode", "time"), np.zeros((2, 3), bool))}, attrs=about("survival"))
    )
    assert [file.name for file in files_of(tmp_path / "s.zarr/mask")] == ["zarr.json"]
    assert not open_store(tmp_path / "s.zarr").mask.any()
