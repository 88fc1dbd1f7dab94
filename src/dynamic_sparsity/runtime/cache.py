"""Where traced and compiled programs are kept."""

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
"""Seconds since its last change after which an entry of the compile cache is not being written any more."""

_DAMAGED_ENTRY = re.compile("Error reading persistent compilation cache entry for '([^'/*]+)'")


def mend_compile_cache() -> None:
    """Delete damaged entries of XLA's cache when jax meets one, so that they are written anew.

    jax writes an entry in place and never over another one: what a killed job left half-written would be compiled again by
    every later one. jax says only the name of the program (`jit_call` is that of every task's), so all entries of that
    name are looked at, and those go that do not decompress and are a minute old: a younger one may be in the middle of
    being written by another job. The text is that of `jax._src.compiler._cache_read`; where a version words it
    differently, nothing is mended and nothing breaks.
    """
    show = warnings.showwarning

    def mend(message: Warning | str, *where: Any, **options: Any) -> None:
        damaged = _DAMAGED_ENTRY.match(str(message))
        if damaged is None:
            show(message, *where, **options)
            return
        print(f"a compiled program on disk is damaged: compiling {damaged[1]} again", flush=True)
        for entry in compiled_directory().glob(f"{damaged[1]}-*"):
            with contextlib.suppress(OSError):  # another job mends or trims as well, or the cache is read only
                if time.time() - entry.stat().st_mtime > _BEING_WRITTEN and not _decompresses(entry.read_bytes()):
                    entry.unlink()

    warnings.filterwarnings("always", message=_DAMAGED_ENTRY.pattern)
    warnings.showwarning = mend  # ty: ignore[invalid-assignment]


def _decompresses(content: bytes) -> bool:
    """Whether an entry is whole: jax compresses with zlib or, where it finds a package for that, with Zstandard."""
    from numcodecs import Zstd

    for decode in (zlib.decompress, Zstd().decode):
        with contextlib.suppress(Exception):
            decode(content)
            return True
    return False


def cache_directory() -> Path:
    """Where traced and compiled programs are kept: $DYNAMIC_SPARSITY_CACHE, else a place of the user's.

    That is `dynamic-sparsity` in $XDG_CACHE_HOME, or in ~/.cache: one for all studies and checkouts of a user on a machine.
    Where neither can be written, as for a user without a home, .cache in the working directory.
    """
    if chosen := os.environ.get(_CACHE_VARIABLE):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME", "")
    caches = home if Path(home).is_absolute() else os.path.expanduser("~/.cache")  # noqa: PTH111 (Path's raises without a home)
    place = Path(caches) / "dynamic-sparsity"
    there = next((path for path in (place, *place.parents) if path.exists()), place)
    return place if place.is_absolute() and os.access(there, os.W_OK) else Path(".cache").absolute()


def compiled_directory() -> Path:
    """Where XLA keeps what it has compiled, apart for each kind of machine."""
    return cache_directory() / "compiled" / _machine()


def _machine() -> str:
    """Short name of this kind of machine: compiled programs are not shared between kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return f"{platform.machine()}-{hashlib.sha256(''.join(sorted(kinds)).encode()).hexdigest()[:12]}"
