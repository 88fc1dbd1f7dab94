"""Cores, accelerator, XLA switches, precision and compile cache: set before jax is imported, once per process."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import importlib.metadata
import itertools
import os
import platform
import re
import sys
import tempfile
import time
import types
import warnings
import zlib
from pathlib import Path
from typing import IO, Any

_LOCKS: list[IO[str]] = []
_CACHE_VARIABLE = "DYNAMIC_SPARSITY_CACHE"
_FUSION_SWITCH = "--xla_cpu_use_fusion_emitters=false"
# The versions that were measured to have the switch and to gain from it; XLA aborts on a flag that it does not know.
_JAXLIB_WITH_FUSION_SWITCH = ("0.7.",)

_BEING_WRITTEN = 60
"""Seconds since its last change after which an entry of the compile cache is not being written any more."""
_DAMAGED_ENTRY = re.compile("Error reading persistent compilation cache entry for '([^'/*]+)'")

FASTER_FUSED = ("CheetahRun", "WalkerRun", "WalkerStand", "WalkerWalk")
"""Tasks of which hundreds at once step faster with XLA's own fusion (WalkerRun: 5,200 steps/s instead of 3,450 on one core).
Along longer chains of bodies it computes the same again and again (SwimmerSwimmer6: hundreds instead of 6,900)."""


def configure_jax(
    *, threads: int = 1, double_precision: bool = False, large_batches: bool = False, accelerator: bool = False
) -> None:
    """Claim `threads` cores and set XLA's switches, the precision and the compile cache.

    On the CPU, unless JAX_PLATFORMS names an accelerator, of which one device is claimed, and `accelerator` says that it
    helps: on a cluster, the other jobs of a study run on nodes that have none.

    `large_batches` keeps XLA's own fusion, which is slow for one sample and fast for hundreds (docs/performance.md).

    Raises RuntimeError when jax is there already: its thread pool is as large as the cores it saw at import.
    """
    if "jax" in sys.modules:
        raise RuntimeError("configure_jax must be called before jax is imported")
    claim_cores(threads)
    if not accelerator:
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif names_gpu():
        claim_device()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    _set_xla_flags(large_batches)
    # MJX's other back end: not used here, and 2.5 s of imports in every job.
    sys.modules["warp"] = None  # ty: ignore[invalid-assignment]
    sys.modules.setdefault("trimesh", _LaterTrimesh("trimesh"))
    import jax

    jax.config.update("jax_enable_x64", double_precision)
    if not _on_cpu():
        # Else matrix units round float32 to 11 bits: 19 % of WalkerRun's smooth steps were off by more than 1 % on an H100.
        jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_compilation_cache_dir", str(compiled_directory()))
    # Else its path is a part of every program's key, and a cache that moves is empty.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    _mend_compile_cache()


def in_precision(*, double: bool) -> contextlib.AbstractContextManager[None]:
    """Within it jax works in float64 (`double`) or float32, whatever `configure_jax` said.

    Newer versions of jax have the switch under another name, and no longer under `jax.experimental`.
    """
    import jax
    import jax.experimental

    owner: Any = jax if hasattr(jax, "enable_x64") else jax.experimental
    return owner.enable_x64(double)


def _on_cpu() -> bool:
    return os.environ.get("JAX_PLATFORMS", "cpu").startswith("cpu")


def names_gpu() -> bool:
    """Whether JAX_PLATFORMS asks for an NVIDIA GPU."""
    return os.environ.get("JAX_PLATFORMS", "cpu").startswith(("cuda", "gpu"))


def _mend_compile_cache() -> None:
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


class _LaterTrimesh(types.ModuleType):
    """Stands for trimesh, 0.3 s of imports, until MJX wants the convex hull of a mesh: most tasks have none."""

    class Trimesh:
        """trimesh.Trimesh, imported when one is made; as an annotation it is only a name."""

        def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
            return _LaterTrimesh.real().Trimesh(*arguments, **keywords)

    @staticmethod
    def real() -> types.ModuleType:
        """trimesh itself, from now on under its name."""
        if isinstance(sys.modules["trimesh"], _LaterTrimesh):
            del sys.modules["trimesh"]
        return importlib.import_module("trimesh")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks of any module
            raise AttributeError(name)
        return getattr(self.real(), name)


def claim_cores(threads: int) -> set[int]:
    """Pin this process to `threads` cores that no other process of this study has claimed; returns them.

    Only cores within the process's affinity are taken, so a scheduler's binding holds. Where too few are
    free, claimed ones are shared. A claim is an advisory lock: it ends with the process, however it ends.
    """
    if not hasattr(os, "sched_setaffinity"):  # not Linux: nothing to pin
        return set()
    allowed = sorted(os.sched_getaffinity(0))
    if threads >= len(allowed):
        return set(allowed)
    free: list[int] = []
    for core in allowed:
        if len(free) < threads and _lock(f"core-{core}"):
            free.append(core)
    spare = [core for core in allowed if core not in free]
    turn = os.getpid() % max(1, len(spare))
    chosen = {*[*free, *spare[turn:], *spare[:turn]][:threads]}
    os.sched_setaffinity(0, chosen)
    return chosen


def claim_device() -> str | None:
    """Show this process one NVIDIA device that no other process of this study uses, waiting for one; returns its name.

    Two jax processes on one device do not both find its memory. The devices are those of CUDA_VISIBLE_DEVICES (as for CUDA,
    up to a -1), else the machine's; None where there are none. A scheduler may give the same name to different devices of
    its jobs.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = [path.name.removeprefix("nvidia") for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    named = [name.strip() for name in (visible or "").split(",")]
    devices = found if visible is None else [name for name in itertools.takewhile("-1".__ne__, named) if name]
    scope = os.environ.get("SLURM_JOB_ID", "")
    for attempt in itertools.count() if devices else ():
        for device in devices:
            if _lock(f"device{scope}-{device}"):
                os.environ["CUDA_VISIBLE_DEVICES"] = device
                return device
        if attempt == 0:
            print(f"waiting for a device: other processes of this study use {', '.join(devices)}", flush=True)
        time.sleep(1)
    return None


def _lock(name: str) -> bool:
    directory = Path(tempfile.gettempdir()) / f"dynamic-sparsity-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    handle = (directory / f"{name}.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _LOCKS.append(handle)
    return True


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


def _set_xla_flags(large_batches: bool) -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    known = importlib.metadata.version("jaxlib").startswith(_JAXLIB_WITH_FUSION_SWITCH)
    if _on_cpu() and known and not large_batches and _FUSION_SWITCH.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FUSION_SWITCH}".strip()


def _machine() -> str:
    """Short name of this kind of machine: compiled programs are not shared between kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return f"{platform.machine()}-{hashlib.sha256(''.join(sorted(kinds)).encode()).hexdigest()[:12]}"
