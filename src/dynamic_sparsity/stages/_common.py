"""Shared by all stages: parsing arguments, and turning a user's mistake or a failing disk into a message of one line."""

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

_PERMISSION = "get the right to write there (ls -ld, chown, chmod)"
_REMEDIES = {
    errno.ENOSPC: "make room there (df -h and df -i say where none is left)",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EROFS: "make it writable (mount -o remount,rw)",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    **reading.DISK_REMEDIES,
}
"""Errors of the system that are no mistake of this program, with their remedies."""
_READERS = ("zarr", "numcodecs")
"""Packages that decode stores. An error that passed through neither was not caused by a store's content."""
_current: Path | None = None
"""The output that is being made, if there are several."""


def parser(description: str | None, *, several: bool = False) -> argparse.ArgumentParser:
    """An argument parser with the options of all stages: settings, output (one, or `several`) and threads."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--settings", required=True, help="the settings of this stage, as one JSON string")
    options.add_argument(
        "--output", required=True, type=Path, nargs="+" if several else None, help="the file or store to write"
    )
    options.add_argument("--threads", type=int, default=1, help="number of cores to claim")
    return options


def run(main: Callable[[], None]) -> None:
    """Run a stage and print what it used. A UserError or a failing disk becomes one message and exit status 1."""
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
    """Let messages name this one of several outputs from now on."""
    global _current
    _current = output


def _peak_mb() -> float:
    """Largest resident set of this process so far, in MB. It is exact, whereas Snakemake's benchmarks sample it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _about_inputs(error: Exception) -> str | None:
    """The message for an error from reading a store lazily, a missing module or too little memory; None for any other."""
    output = _output()
    for link in reading.chain(error):
        if isinstance(link, ImportError):
            module = printable(link.name or link)
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
        if finding := reading.damage(store):
            return reading.damaged(store, finding)
    no_memory = reading.shortage(error)
    return no_memory and f"{output} was not made: {no_memory}"


def _raised_in(error: Exception, packages: tuple[str, ...]) -> bool:
    """Whether an error passed through any of these packages."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").partition(".")[0] in packages for frame, _ in frames)


def _about_outputs(error: Exception) -> str | None:
    """The message for an error of the disk that is written to: the output, the reason and the file, if known."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return None
    if _REMEDIES[error.errno] == _PERMISSION and not error.filename:  # the system call was not about a file
        return None
    file = f" ({error.filename})" if error.filename else ""
    return f"{_output()} was not made: {os.strerror(error.errno)}{file}; {_REMEDIES[error.errno]}, then run snakemake again"


def _output() -> str:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--output", default=["the output"], nargs="+")
    return str(_current) if _current else options.parse_known_args()[0].output[0]
