"""Traced programs on disk: a job loads the programs that an earlier job of the same task traced.

Tracing MJX takes 2 to 25 s per program and task; XLA's own cache saves the compilation but not the tracing. A program
is stored as serialised StableHLO (`jax.export`) with its digest; a damaged or missing program is traced again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.scipy.linalg

from dynamic_sparsity.files.whole import whole
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.runtime.cache import cache_directory
from dynamic_sparsity.runtime.collection import garbage_collection_paused
from dynamic_sparsity.runtime.versions import SIMULATOR

_DIGEST_BYTES = 32
MAX_CACHE_BYTES = 2 * 1024**3
"""Disk space for traced and compiled programs, enough for some hundred tasks; the least recently used are deleted
first."""
_LOADED: dict[Path, Callable[..., Any]] = {}  # policies of one kind share a program within a process, too


def load_program(
    name: str,
    build: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]],
    *,
    modules: Sequence[str],
    **identity: Any,
) -> Callable[..., Any]:
    """The compiled program `name`; `build` is called to trace it only if no earlier process has done so.

    `build` returns a function and the arguments (or their ShapeDtypeStructs) to trace it for; all arguments and results
    are arrays in plain tuples. The program depends on the source of `modules`, with all that they import, and on
    `identity` (such as the task and the method).
    """
    path = _path(name, modules, identity)
    if path in _LOADED:
        return _LOADED[path]
    with _one_at_a_time(path):
        program = _read_program(path)
        if program is None:
            started = time.perf_counter()
            function, arguments = build()
            with garbage_collection_paused():
                program = jax.export.export(jax.jit(function))(*arguments)
            _write_program(path, program)
            trim(cache_directory(), MAX_CACHE_BYTES)
            print(f"{name}: traced in {time.perf_counter() - started:.1f} s", flush=True)
        else:
            _find_lapack()
        started = time.perf_counter()
        shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in program.in_avals]
        arguments, keywords = jax.tree.unflatten(program.in_tree, shapes)
        compiled = jax.jit(program.call).lower(*arguments, **keywords).compile()
        print(f"{name}: compiled or loaded in {time.perf_counter() - started:.1f} s", flush=True)
    _LOADED[path] = compiled
    return compiled


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Generator[None, None, None]:
    """Of the jobs that need the program at `path` at once, one traces and compiles it; the others wait and load it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def trim(directory: Path, limit: int) -> None:
    """Deletes the least recently used files until the rest take at most `limit` bytes; jobs keep their open files."""
    files = []
    for path in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # other jobs rename and delete files at the same time
            if path.is_file() and path.suffix not in (".lock", ".partial"):
                files.append((path, path.stat()))
    total = sum(stat.st_size for _, stat in files)
    for path, stat in sorted(files, key=lambda file: max(file[1].st_atime, file[1].st_mtime)):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= stat.st_size


def _find_lapack() -> None:
    """Makes jax look up LAPACK, as lowering a program that needs it does; a program from disk would crash otherwise."""
    jax.jit(jax.scipy.linalg.cho_factor).lower(jax.numpy.eye(1))


def _path(name: str, modules: Sequence[str], identity: dict[str, Any]) -> Path:
    """The file of a program, named by a digest of all that the program depends on."""
    key = {
        "identity": identity,
        "versions": {package: importlib.metadata.version(package) for package in SIMULATOR},
        "code": sources.digest(*modules, __name__),
        "x64": jax.config.read("jax_enable_x64"),
        "platform": jax.default_backend(),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_directory() / "traced" / f"{name}-{digest[:32]}.stablehlo"


def _read_program(path: Path) -> jax.export.Exported | None:
    """The program at `path`, or None if there is none or its digest does not match."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    with contextlib.suppress(OSError):  # another job deleted it, or the cache is read-only
        os.utime(path)  # marks the program as used, for `trim`
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        print(f"{path} is damaged: tracing again", flush=True)
        return None
    return jax.export.deserialize(bytearray(payload))


def _write_program(path: Path, program: jax.export.Exported) -> None:
    payload = bytes(program.serialize())
    with whole(path) as (partial,):
        partial.write_bytes(hashlib.sha256(payload).digest() + payload)
