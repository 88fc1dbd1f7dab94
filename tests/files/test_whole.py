"""Files are written completely or not at all, and an error of the disk is one message."""

import errno
import os
import subprocess
import sys

import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.files.whole import check_writable, whole
from dynamic_sparsity.stages import _common


def test_files_take_their_names_together_at_the_end(tmp_path):
    csv, html = tmp_path / "tables/a.csv", tmp_path / "tables/a.html"
    with whole(csv, html) as (first, second):
        first.write_text("1")
        second.write_text("2")
        assert not csv.exists() and not html.exists()
    assert csv.read_text() == "1" and html.read_text() == "2" and len(list(csv.parent.iterdir())) == 2


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole(path) as (partial,):
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_job_left_is_cleared(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        killed.wait()
    runs = os.getppid()
    unrelated = [f".a[b].csv.{runs}.partial", f".ab.csv.{killed.pid}.partial", f".c.a[b].csv.{killed.pid}.partial"]
    for name in (*unrelated, f".a[b].csv.{killed.pid}.partial", f".a[b].csv.{10**30}.partial"):
        (tmp_path / name).write_text("half")
    with whole(tmp_path / "a[b].csv") as (partial,):
        partial.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*unrelated, "a[b].csv"])


def test_a_writer_that_runs_keeps_what_it_has_written(tmp_path):
    path = tmp_path / "a.csv"
    code = (
        "import pathlib, sys; from dynamic_sparsity.files.whole import whole\n"
        "with whole(pathlib.Path(sys.argv[1])) as (partial,):\n"
        "    partial.write_text('first'); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        first.stdout.readline()
        with whole(path) as (partial,):
            partial.write_text("second")
        assert path.read_text() == "second"
        first.communicate("\n")
    assert first.returncode == 0 and path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    check_writable(tmp_path)
    check_writable(tmp_path / "nowhere")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written to .* or run with --directory"):
        check_writable(tmp_path)


def stopped(monkeypatch, error):
    """The message of a stage that ends with `error`."""

    def main():
        raise error

    monkeypatch.setattr("sys.argv", ["stage", "--settings", "{}", "--output", "results/a.zarr", "--threads", "1"])
    with pytest.raises(SystemExit) as caught:
        _common.run(main)
    return caught.value.code


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "make room"), (errno.EDQUOT, "quota"), (errno.EROFS, "remount"), (errno.EIO, "dmesg")],
)
def test_what_a_disk_refuses_is_one_message(monkeypatch, number, remedy):
    message = stopped(monkeypatch, OSError(number, os.strerror(number)))
    assert message.startswith(f"error: results/a.zarr was not made: {os.strerror(number)}; ") and remedy in message
    assert message.endswith("then run snakemake again")


def test_the_file_is_named_where_the_system_does(monkeypatch):
    message = stopped(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "results/.a.zarr.partial"))
    assert "results/a.zarr was not made: Permission denied (results/.a.zarr.partial); get the right" in message


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EPERM, "Operation not permitted"),
        FileNotFoundError(errno.ENOENT, "No such file", "x"),
        OSError("?"),
    ],
)
def test_a_mistake_in_the_program_stays_one(monkeypatch, error):
    def main():
        raise error

    with pytest.raises(type(error)):
        _common.run(main)
