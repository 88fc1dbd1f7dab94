"""Advisory locks on directories: two processes never write into one."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from dynamic_sparsity.errors import UserError

_REFUSED = ".refused"
"""A file that says so to whoever holds the lock."""


def lock(directory: Path, what: str) -> int:
    """Lock `directory`, where `what` is written, until the returned descriptor is closed or the process ends.

    Raises UserError where another process holds it, or the file system has no locks.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            with contextlib.suppress(OSError):  # its holder may be done just now
                (directory / _REFUSED).touch()
            raise UserError(
                f"another process is writing {what}: wait until it ends, or end it (a job may outlive the"
                " snakemake that started it), then run again"
            ) from None
        raise UserError(
            f"{directory} cannot be locked ({error.strerror}): keep results on a file system that has flock, or mount it so"
        ) from None
    (directory / _REFUSED).unlink(missing_ok=True)
    return handle


def check_not_refused(directory: Path, what: str) -> None:
    """Raise UserError where another process was refused `directory` since this one has locked it.

    That process was to make the same thing, perhaps with other settings, and its snakemake knows nothing of this one: it
    would take what this one makes for its own.
    """
    if (directory / _REFUSED).exists():
        raise UserError(
            f"{what} is not kept: the snakemake that asked for it is gone, and another has asked since: run snakemake again"
        )
