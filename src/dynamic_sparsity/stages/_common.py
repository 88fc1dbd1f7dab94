"""What every stage does: parse, configure, and turn a user's mistake, or a disk's, into one line."""

from __future__ import annotations

import argparse
import errno
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from dynamic_sparsity.errors import UserError, printable
from dynamic_sparsity.stores import reading

_RIGHTS = "get the right to write there (ls -ld, chown, chmod)"
_REMEDIES = {
    errno.ENOSPC: "make room there (df -h and df -i say where none is left)",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EROFS: "make it writable (mount -o remount,rw)",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    **reading.DISK_REMEDIES,
}
"""What is no mistake in the program, and what to do about it."""
_READERS = ("zarr", "numcodecs")
"""An error that passed through none of these did not come from a store's content."""
_current: Path | None = None
"""Which of several outputs is being made."""


def parser(description: str | None, *, several: bool = False) -> argparse.ArgumentParser:
    """An argument parser with the options that all stages share: settings, output (or `several`), threads."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--settings", required=True, help="this stage's settings as one JSON string")
    options.add_argument("--output", required=True, type=Path, nargs="+" if several else None, help="what to write")
    options.add_argument("--threads", type=int, default=1, help="how many cores to claim")
    return options


def run(main: Callable[[], None]) -> None:
    """Run a stage and say what it used; a UserError, or what a disk refuses, becomes one message and exit status 1."""
    started = time.perf_counter()
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        message = _about_inputs(error) or _about_outputs(error)
        if message is None:
            raise
        sys.exit(f"error: {message}")
    print(f"used {time.perf_counter() - started:.1f} s and at most {_peak_mb():.0f} MB of memory")


def say_of(output: Path) -> None:
    """Messages name this one, of several outputs, from now on."""
    global _current
    _current = output


def _peak_mb() -> float:
    """Largest resident set of this process so far, exactly: Snakemake's benchmarks look now and then."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _about_inputs(error: Exception) -> str | None:
    """What to say where an error comes from the stores that the job reads, lazily, or from too little memory."""
    output = _output()
    for each in reading.chain(error):
        if isinstance(each, ImportError):
            module = printable(each.name or each)
            return f"{output} was not made: no Python module {module}, or a broken one; install envs/requirements.txt again"
    if not isinstance(error, OSError | MemoryError) and not _raised_in(error, _READERS):
        return None
    stores = [Path(word) for word in sys.argv[1:] if word.endswith(".zarr") and word != output and Path(word).is_dir()]
    if isinstance(error, OSError):
        file = Path(os.fsdecode(error.filename)).absolute() if isinstance(error.filename, str | bytes) else Path()
        stores = [store for store in stores if file.is_relative_to(store.absolute())]
    for store in stores:
        if known := reading.cause(store, error):
            return known
        if wrong := reading.damage(store):
            return reading.damaged(store, wrong)
    short = reading.shortage(error)
    return short and f"{output} was not made: {short}"


def _raised_in(error: Exception, packages: tuple[str, ...]) -> bool:
    """Whether an error passed through any of these packages."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").partition(".")[0] in packages for frame, _ in frames)


def _about_outputs(error: Exception) -> str | None:
    """What was to be made, why not, and the file, where the system names one: it does not when a write fails."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return None
    if _REMEDIES[error.errno] == _RIGHTS and not error.filename:  # a system call on something else than a file
        return None
    where = f" ({error.filename})" if error.filename else ""
    return f"{_output()} was not made: {os.strerror(error.errno)}{where}; {_REMEDIES[error.errno]}, then run snakemake again"


def _output() -> str:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--output", default=["the output"], nargs="+")
    return str(_current) if _current else options.parse_known_args()[0].output[0]
