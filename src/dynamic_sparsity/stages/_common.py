"""What every stage does: parse, configure, and turn a user's mistake, or a disk's, into one line."""

from __future__ import annotations

import argparse
import errno
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dynamic_sparsity.errors import UserError

_RIGHTS = "get the right to write there (ls -ld, chown, chmod)"
_REMEDIES = {
    errno.ENOSPC: "make room there (df -h and df -i say where none is left)",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EROFS: "make it writable (mount -o remount,rw)",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: "look at what the system says of that disk (dmesg)",
    errno.ESTALE: "mount that network file system again",
}
"""What is no mistake in the program, and what to do about it."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that all stages share: settings, output, threads."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--settings", required=True, help="this stage's settings as one JSON string")
    options.add_argument("--output", required=True, type=Path, help="what to write")
    options.add_argument("--threads", type=int, default=1, help="how many cores to claim")
    return options


def run(main: Callable[[], None]) -> None:
    """Run a stage and say what it used; a UserError, or what a disk refuses, becomes one message and exit status 1."""
    started = time.perf_counter()
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in _REMEDIES or (_REMEDIES[error.errno] == _RIGHTS and not error.filename):
            raise  # system calls on other things than files are refused as well
        sys.exit(f"error: {_about(error)}; {_REMEDIES[error.errno]}, then run snakemake again")
    print(f"used {time.perf_counter() - started:.1f} s and at most {_peak_mb():.0f} MB of memory")


def _peak_mb() -> float:
    """Largest resident set of this process so far, exactly: Snakemake's benchmarks look now and then."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _about(error: OSError) -> str:
    """What was to be made, and the file, where the system names one: it does not when a write fails."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--output", default="the output")
    where = f" ({error.filename})" if error.filename else ""
    return f"{options.parse_known_args()[0].output} was not made: {os.strerror(error.errno or 0)}{where}"
