"""Files that appear under their names only when they are whole, and whether any can."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from dynamic_sparsity.errors import UserError


@contextlib.contextmanager
def whole(*paths: Path) -> Generator[list[Path], None, None]:
    """Where to write instead: beside `paths`, whose names these files take when the block ends without an error.

    After an error they are gone. What a killed job left is cleared.
    """
    beside = [path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}") for path in paths]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{path.stem}.*.partial{path.suffix}"):
            left.unlink(missing_ok=True)
    try:
        yield beside
        for written, path in zip(beside, paths, strict=True):
            written.replace(path)
    finally:
        for path in beside:
            path.unlink(missing_ok=True)


def check_writable(directory: Path) -> None:
    """Raises UserError where nothing can be written to `directory`; one that is not there yet is left to who makes it."""
    if directory.exists() and not os.access(directory, os.W_OK):
        raise UserError(
            f"{directory.resolve()} cannot be written to (mounted read-only, or no right to): make it writable (mount -o"
            " remount,rw; chmod), or run with --directory elsewhere"
        )
