"""Advisory locks on directories, so that two processes never write into the same one."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from dynamic_sparsity.errors import UserError

_REFUSED = ".refused"
"""A file that tells the holder of the lock that another process was refused."""


def lock(directory: Path, output: str) -> int:
    """Locks `directory`, in which `output` is written, until the returned descriptor is closed or the process ends.

    Raises UserError, which names `output`, if another process holds the lock or the file system has no locks.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            with contextlib.suppress(OSError):  # the holder may have finished and removed the directory
                (directory / _REFUSED).touch()
            raise UserError(
                f"another process is writing {output}: wait until it ends, or end it (a job may outlive the"
                " snakemake that started it), then run again"
            ) from None
        raise UserError(
            f"{directory} cannot be locked ({error.strerror}): keep results on a file system that supports flock, or mount"
            " it with locks"
        ) from None
    (directory / _REFUSED).unlink(missing_ok=True)
    return handle


def check_not_refused(directory: Path, output: str) -> None:
    """Raises UserError if another process was refused `directory` since this process locked it.

    That process was to make the same output, perhaps with other settings. Its snakemake does not know of this process
    and would take this process's output for its own.
    """
    if (directory / _REFUSED).exists():
        raise UserError(
            f"{output} is not kept: the snakemake that started this job is gone, and another has started one for the same"
            " output since; run snakemake again"
        )
