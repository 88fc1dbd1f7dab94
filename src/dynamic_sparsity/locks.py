"""Advisory locks on directories: two processes never write into one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dynamic_sparsity.errors import UserError


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
            raise UserError(
                f"another process is writing {what}: wait until it ends, or end it (a job may outlive the"
                " snakemake that started it), then run again"
            ) from None
        raise UserError(
            f"{directory} cannot be locked ({error.strerror}): keep results on a file system that has flock, or mount it so"
        ) from None
    return handle
