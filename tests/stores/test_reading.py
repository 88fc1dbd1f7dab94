"""A store is called damaged only if a file contradicts its digest; the message for any other error names its cause."""

import errno
import gc
import os
import shutil
from pathlib import Path

import pytest
import xarray as xr
import zarr.core.metadata.v3

from dynamic_sparsity import cli
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts.expert import read_expert
from dynamic_sparsity.stages import _common
from dynamic_sparsity.stores.digests import files_of
from dynamic_sparsity.stores.opening import open_store
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.verification import verdict_of, verify_store
from dynamic_sparsity.stores.writing import _Unfinished
from tests.helpers.stores import chunk_of, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path):
    write(tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def read_all(store):
    return [episode.load() for episode in episodes_of(open_store(store))]


def refused(store):
    """The message of one line with which reading the store fails."""
    with pytest.raises(UserError) as caught:
        read_all(store)
    message = str(caught.value)
    assert str(store) in message and "\n" not in message
    return message


def said_by_verify(store):
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", str(store)])
    return str(caught.value)


PLACES = ["", "jacobian", "jacobian/c", "jacobian/c/0", "out_dim", "out_dim/c", "episode/c", "length"]
HIDDEN = [".nfs000000012345", "._0", "._zarr.json", ".DS_Store"]


@pytest.mark.parametrize("name", [*HIDDEN, "Thumbs.db", "0~", "0.bak", "#0#", "00.part", "a zarr.json"])
@pytest.mark.parametrize("place", PLACES)
def test_a_file_beside_those_of_a_store_is_no_damage(store, place, name):
    before = read_all(store)
    (store / place / name).write_bytes(b"left by somebody")
    for episode, expected in zip(read_all(store), before, strict=True):
        xr.testing.assert_identical(episode, expected)
    verdict = verdict_of(store)
    assert not verdict.damage
    if name in HIDDEN:
        assert not verdict.problems
        return
    (problem,) = verdict.doubts
    assert problem.endswith(f"{name} is not in the store's list of its files") and "delete" not in said_by_verify(store)


def test_a_hidden_file_is_not_listed(tmp_path, monkeypatch):
    finish = _Unfinished._finish

    def with_another(self):
        (self._beside / "jacobian/c/.nfs1").touch()
        finish(self)

    monkeypatch.setattr(_Unfinished, "_finish", with_another)
    write(tmp_path / "s.zarr")
    (tmp_path / "s.zarr/jacobian/c/.nfs1").unlink()  # NFS does
    assert verify_store(tmp_path / "s.zarr") == [] and read_all(tmp_path / "s.zarr")


FAULTS = [
    (PermissionError(errno.EACCES, "Permission denied"), ["right to read", "chmod"]),
    (OSError(errno.EIO, "Input/output error"), ["Input/output error", "dmesg"]),
    (OSError(errno.ESTALE, "Stale file handle"), ["Stale file handle", "mount that network file system"]),
    (OSError(errno.EMFILE, "Too many open files"), ["Too many open files", "ulimit"]),
    (MemoryError("Unable to allocate 9 GiB"), ["too little memory", "Unable to allocate 9 GiB", "fewer jobs"]),
]
NAMES = [f"{type(error).__name__}-{getattr(error, 'errno', '')}" for error, _ in FAULTS]


def failing(monkeypatch, file, error):
    """Let reading `file` fail with `error`: root may read everything, and no disk fails on demand."""
    opened = Path.open

    def fail(self, *arguments, **options):
        if self == file:
            more = (str(file),) if isinstance(error, OSError) else ()
            raise type(error)(*error.args, *more)
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", fail)


@pytest.mark.parametrize(("error", "words"), FAULTS, ids=NAMES)
@pytest.mark.parametrize("name", ["zarr.json", "jacobian/zarr.json", "out_dim/c/0", "length/c/0", "jacobian chunk"])
def test_the_cause_that_keeps_a_sound_store_from_being_read_is_named(store, monkeypatch, name, error, words):
    file = chunk_of(store) if name == "jacobian chunk" else store / name
    failing(monkeypatch, file, error)
    verdict = verdict_of(store)
    assert verdict.doubts and not verdict.damage
    for message in (refused(store), " ".join(verdict.doubts), said_by_verify(store) + "".join(verdict.doubts)):
        for word in words:
            assert word in message
        assert "delete" not in message and "damaged" not in message
    if isinstance(error, PermissionError):
        assert str(file) in refused(store)


def test_a_folder_that_may_not_be_listed_is_named_and_its_files_are_not_missing(store, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path) == str(store / "jacobian/c"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert read_all(store), "whoever opens a store lists no folder of chunks"
    (problem,) = verify_store(store)
    assert "the right to read" in problem and "delete" not in said_by_verify(store)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["zarr.json", "jacobian/zarr.json", "jacobian/c", "length/c/0", ""])
def test_a_permission_that_was_taken_away(store, name):
    before = (store / name).stat().st_mode
    (store / name).chmod(0)
    try:
        assert "the right to" in refused(store) and "delete" not in said_by_verify(store)
    finally:
        (store / name).chmod(before)
    assert read_all(store)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'blosc'", name="blosc"), "no Python module blosc"),
        (KeyError("blosc"), "Unknown codec: 'blosc'"),
    ],
    ids=["module", "codec"],
)
def test_a_codec_that_is_not_installed_is_no_damage(store, monkeypatch, caplog, error, words):
    def missing(*_):
        raise type(error)(*error.args, **{"name": "blosc"} if isinstance(error, ImportError) else {})

    monkeypatch.setattr(zarr.core.metadata.v3, "get_codec_class", missing)
    message = refused(store)
    assert words in message and "delete" not in message and "delete" not in said_by_verify(store)
    gc.collect()
    assert not caplog.records, "each array fails, and none of them logs a traceback"


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "missing"])
@pytest.mark.parametrize("name", ["jacobian/zarr.json", "out_dim/c/0", "jacobian chunk"])
def test_a_damaged_store_is_called_damaged_and_to_be_deleted(store, name, harm):
    harm(chunk_of(store) if name == "jacobian chunk" else store / name)
    verdict = verdict_of(store)
    assert verdict.damage and "1 of 1 are damaged: delete" in said_by_verify(store)
    if harm is not flip:  # one bit may leave an array that decodes
        message = refused(store)
        assert "is damaged" in message and "delete it and run snakemake again" in message
        assert ("is missing" if harm is Path.unlink else "has been altered") in message


def test_a_lost_file_is_never_taken_for_fill_values(store, tmp_path):
    """Zarr reads a chunk without a file as fill values, and an array without metadata as no array."""
    lost = [file.relative_to(store) for file in files_of(store) if file.name != "zarr.json"]
    lost += [Path(name) for name in ("jacobian", "out_dim", "length", "done/zarr.json")]
    assert len(lost) > 8
    for number, name in enumerate(lost):
        copy = shutil.copytree(store, tmp_path / f"{number}.zarr")
        if (copy / name).is_dir():
            shutil.rmtree(copy / name)
        else:
            (copy / name).unlink()
        message = refused(copy)
        assert f"{copy} is damaged and cannot be read ({copy}/{name}" in message and "is missing" in message


def test_opening_a_store_reads_metadata_coordinates_and_lengths_alone(store, monkeypatch):
    opened, open_file = [], Path.open

    def listen(self, *arguments, **options):
        opened.append(str(self.relative_to(store)))
        return open_file(self, *arguments, **options)

    def refuse(*_, **__):
        raise AssertionError("stages walk no store")

    monkeypatch.setattr(Path, "open", listen)
    monkeypatch.setattr(os, "walk", refuse)
    open_store(store)
    arrays = {path.name for path in store.iterdir() if path.is_dir()}
    chunks = {name.partition("/")[0] for name in opened if not name.endswith("zarr.json")}
    assert {name.rpartition("/")[0] for name in opened if name.endswith("zarr.json")} == {"", *arrays}
    assert chunks == {"episode", "out_dim", "in_dim", "length"}


def test_a_store_that_has_lost_its_metadata_is_damaged(store, tmp_path):
    shutil.copytree(store, tmp_path / "cut.zarr")
    cut(tmp_path / "cut.zarr/zarr.json")
    assert "zarr.json is no JSON" in refused(tmp_path / "cut.zarr") and "are damaged: delete" in said_by_verify(
        tmp_path / "cut.zarr"
    )
    (store / "zarr.json").unlink()
    assert "are damaged: delete" in said_by_verify(store)
    with pytest.raises(UserError, match="is not a store"):
        open_store(store)


def test_too_little_memory_for_what_a_damaged_file_announces_is_damage(store, monkeypatch):
    def announced(*_, **__):
        raise MemoryError("Unable to allocate 8 EiB")

    flip(chunk_of(store))
    monkeypatch.setattr(xr, "open_zarr", announced)
    assert "has been altered" in refused(store)


def test_a_part_of_a_store_that_was_saved_elsewhere_is_not_damaged(store, tmp_path, capsys):
    part = xr.open_zarr(store, consolidated=False).isel(episode=[0]).drop_encoding()
    del part.attrs["file_sha256"]
    part.to_zarr(tmp_path / "part.zarr", consolidated=False)
    assert open_store(tmp_path / "part.zarr").sizes["episode"] == 1
    verdict = verdict_of(tmp_path / "part.zarr")
    assert not verdict.damage and "has no list of its files" in verdict.doubts[0]
    assert "delete" not in said_by_verify(tmp_path / "part.zarr")
    cli.main(["inspect", str(tmp_path / "part.zarr")])
    assert "dims: episode 1" in capsys.readouterr().out


def stage(monkeypatch, store, main):
    """The message with which a stage that reads `store` ends."""
    words = ["stage", "--settings", "{}", "--sparsity", str(store), "--threads", "1", "--output", "results/a.zarr"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as caught:
        _common.run(main)
    return str(caught.value.code)


@pytest.mark.parametrize(("error", "words"), FAULTS, ids=NAMES)
def test_a_stage_that_reads_lazily_says_the_same(store, monkeypatch, error, words):
    data = open_store(store)
    failing(monkeypatch, chunk_of(store), error)
    message = stage(monkeypatch, store, lambda: data.jacobian.values.sum())
    assert message.startswith("error: ") and "delete" not in message and "right to write" not in message
    for word in words:
        assert word in message


def test_a_stage_that_lacks_a_module_says_which(store, monkeypatch):
    def main():
        raise RuntimeError("decoding failed") from ModuleNotFoundError("No module named 'blosc'", name="blosc")

    assert "no Python module blosc" in stage(monkeypatch, store, main)


def test_a_stage_that_reads_damage_lazily_says_so_and_lets_other_errors_pass(store, monkeypatch):
    data = open_store(store)
    with pytest.raises(ZeroDivisionError):
        stage(monkeypatch, store, lambda: 1 / 0)
    cut(chunk_of(store))
    message = stage(monkeypatch, store, lambda: data.jacobian.values.sum())
    assert message.startswith(f"error: {store} is damaged") and "delete it" in message


def test_an_expert_that_may_not_be_read_is_not_damaged(tmp_path, monkeypatch):
    file = tmp_path / "0.safetensors"
    shutil.copy(ROOT / "resources/policies/CartpoleBalance-0.safetensors", file)
    failing(monkeypatch, file, FAULTS[0][0])
    with pytest.raises(UserError, match=f"the right to read {file} is missing"):
        read_expert(file)
    assert "damaged" not in said_by_verify(tmp_path)
