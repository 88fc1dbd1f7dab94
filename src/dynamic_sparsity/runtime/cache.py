"""The cache of traced and compiled programs: where it is, and how damaged entries are replaced."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

_CACHE_VARIABLE = "DYNAMIC_SPARSITY_CACHE"

_BEING_WRITTEN = 60
"""Seconds since its last change after which no job is still writing an entry of the compile cache."""

_DAMAGED_ENTRY = re.compile("Error reading persistent compilation cache entry for '([^'/*]+)'")


def mend_compile_cache() -> None:
    """Deletes damaged entries of XLA's compile cache when jax warns of one, so that they are written anew.

    jax writes entries in place and never overwrites one. Without this, every later job would compile again what a
    killed job left half-written. The warning has only the program's name, which many tasks share (`jit_call`), so all
    entries of that name are examined. Those that do not decompress are deleted, unless they are younger than a minute:
    another job may be writing them. The warning is matched by the text in `jax._src.compiler._cache_read`; if another
    version of jax words it differently, no entry is deleted and nothing breaks.
    """
    show = warnings.showwarning

    def mend(message: Warning | str, *positional: Any, **options: Any) -> None:
        damaged = _DAMAGED_ENTRY.match(str(message))
        if damaged is None:
            show(message, *positional, **options)
            return
        print(f"a compiled program on disk is damaged: compiling {damaged[1]} again", flush=True)
        for entry in compiled_directory().glob(f"{damaged[1]}-*"):
            with contextlib.suppress(OSError):  # another job deleted it first, or the cache is read-only
                if time.time() - entry.stat().st_mtime > _BEING_WRITTEN and not _decompresses(entry.read_bytes()):
                    entry.unlink()

    warnings.filterwarnings("always", message=_DAMAGED_ENTRY.pattern)
    warnings.showwarning = mend  # ty: ignore[invalid-assignment]


def _decompresses(content: bytes) -> bool:
    """Whether an entry is complete; jax compresses with zlib or, if a package for that is installed, with Zstandard."""
    from numcodecs import Zstd

    for decode in (zlib.decompress, Zstd().decode):
        with contextlib.suppress(Exception):
            decode(content)
            return True
    return False


def cache_directory() -> Path:
    """The directory of traced and compiled programs: $DYNAMIC_SPARSITY_CACHE, or else the user's cache.

    The user's cache is `dynamic-sparsity` in $XDG_CACHE_HOME or in ~/.cache; all studies and checkouts of a user on a
    machine share it. If it cannot be written, as for a user without a home, the directory is .cache in the working
    directory.
    """
    if variable := os.environ.get(_CACHE_VARIABLE):
        return Path(variable).absolute()
    xdg_cache = os.environ.get("XDG_CACHE_HOME", "")
    home_cache = os.path.expanduser("~/.cache")  # noqa: PTH111 (Path raises without a home)
    caches = xdg_cache if Path(xdg_cache).is_absolute() else home_cache
    directory = Path(caches) / "dynamic-sparsity"
    existing = next((path for path in (directory, *directory.parents) if path.exists()), directory)
    return directory if directory.is_absolute() and os.access(existing, os.W_OK) else Path(".cache").absolute()


def compiled_directory() -> Path:
    """The directory of XLA's compiled programs; each kind of machine has its own."""
    return cache_directory() / "compiled" / _machine()


def _machine() -> str:
    """A short name of this kind of machine, by its processor; kinds do not share compiled programs."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return f"{platform.machine()}-{hashlib.sha256(''.join(sorted(kinds)).encode()).hexdigest()[:12]}"
