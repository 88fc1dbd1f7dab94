"""Files that appear under their names only when they are whole, and whether any can."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path

from dynamic_sparsity.errors import UserError


@contextlib.contextmanager
def whole(*paths: Path) -> Generator[list[Path], None, None]:
    """Where to write instead: beside `paths`, whose names these files take when the block ends without an error.

    After an error they are gone. What a process left that is gone (on this machine) is cleared.
    """
    beside = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
    try:
        yield beside
        for written, path in zip(beside, paths, strict=True):
            written.replace(path)
    finally:
        for path in beside:
            path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    partial = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.partial")
    for left in path.parent.iterdir():
        if (found := partial.fullmatch(left.name)) and not _runs(int(found[1])):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def check_writable(directory: Path) -> None:
    """Raises UserError where nothing can be written to `directory`; one that is not there yet is left to who makes it."""
    if directory.exists() and not os.access(directory, os.W_OK):
        raise UserError(
            f"{directory.resolve()} cannot be written to (mounted read-only, or no right to): make it writable (mount -o"
            " remount,rw; chmod), or run with --directory elsewhere"
        )
