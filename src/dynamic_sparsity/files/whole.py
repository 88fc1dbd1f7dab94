"""Atomic writes: files appear under their names only when complete. Also checks that a directory is writable."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path

from dynamic_sparsity.errors import UserError


@contextlib.contextmanager
def whole(*paths: Path) -> Generator[list[Path], None, None]:
    """Yields temporary paths next to `paths`; they are renamed to `paths` when the block ends without an error.

    After an error they are deleted. Temporary files of processes that no longer run on this machine are deleted, too.
    """
    partials = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
    try:
        yield partials
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Deletes temporary files of `path` whose process no longer runs."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.partial")
    for file in path.parent.iterdir():
        if (match := pattern.fullmatch(file.name)) and not _runs(int(match[1])):
            file.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether a process with this id runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs under another user
        pass
    return True


def check_writable(directory: Path) -> None:
    """Raises UserError if `directory` exists and cannot be written."""
    if directory.exists() and not os.access(directory, os.W_OK):
        raise UserError(
            f"{directory.resolve()} cannot be written to (mounted read-only, or no permission): make it writable (mount -o"
            " remount,rw; chmod), or run with --directory elsewhere"
        )
