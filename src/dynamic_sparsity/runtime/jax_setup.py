"""Sets XLA's switches, the precision and the compile cache, once per process and before jax is imported."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import types
from typing import Any

from dynamic_sparsity.runtime.cache import compiled_directory, mend_compile_cache
from dynamic_sparsity.runtime.cores import claim_cores, claim_device, names_gpu

_FUSION_SWITCH = "--xla_cpu_use_fusion_emitters=false"

# Versions that have the switch and were measured to gain from it; XLA aborts on an unknown flag.
_JAXLIB_WITH_FUSION_SWITCH = ("0.7.",)

FASTER_FUSED = ("CheetahRun", "WalkerRun", "WalkerStand", "WalkerWalk")
"""Tasks for which hundreds of environments step faster with XLA's own fusion (WalkerRun: 5,200 steps/s instead of 3,450
on one core). Along longer chains of bodies, that fusion repeats computations (SwimmerSwimmer6: hundreds of steps/s
instead of 6,900)."""


def configure_jax(
    *, threads: int = 1, double_precision: bool = False, large_batches: bool = False, accelerator: bool = False
) -> None:
    """Claims `threads` cores and sets XLA's switches, the precision and the compile cache.

    jax runs on the CPU unless `accelerator` is true and JAX_PLATFORMS names an accelerator, of which one device is then
    claimed. `accelerator` is false for jobs that gain nothing from one: on a cluster they run on nodes without any.

    `large_batches` keeps XLA's own fusion, which is slow for one sample and fast for hundreds (docs/performance.md).

    Raises RuntimeError if jax has been imported already, because it sizes its thread pool by the cores it sees at
    import.
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
    # MJX's other back end, which is not used and would take every job 2.5 s to import.
    sys.modules["warp"] = None  # ty: ignore[invalid-assignment]
    sys.modules.setdefault("trimesh", _LaterTrimesh("trimesh"))
    import jax

    jax.config.update("jax_enable_x64", double_precision)
    if not _on_cpu():
        # Otherwise matrix units round float32 to 11 bits: on an H100, 19 % of WalkerRun's smooth steps were off by more
        # than 1 %.
        jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_compilation_cache_dir", str(compiled_directory()))
    # Otherwise the cache's path is part of every program's key, and a cache that is moved looks empty.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    mend_compile_cache()


def in_precision(*, double: bool) -> contextlib.AbstractContextManager[None]:
    """A context in which jax works in float64 (`double`) or float32, whatever `configure_jax` set.

    Newer versions of jax have this switch as `jax.enable_x64` and no longer under `jax.experimental`.
    """
    import jax
    import jax.experimental

    owner: Any = jax if hasattr(jax, "enable_x64") else jax.experimental
    return owner.enable_x64(double)


def _on_cpu() -> bool:
    return os.environ.get("JAX_PLATFORMS", "cpu").startswith("cpu")


class _LaterTrimesh(types.ModuleType):
    """Stands in for trimesh, which takes 0.3 s to import, until MJX needs a mesh's hull; most tasks have no mesh."""

    class Trimesh:
        """trimesh.Trimesh; trimesh is imported when an instance is made, and not for a type annotation."""

        def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
            return _LaterTrimesh.real().Trimesh(*arguments, **keywords)

    @staticmethod
    def real() -> types.ModuleType:
        """The real trimesh, which replaces this module in `sys.modules`."""
        if isinstance(sys.modules["trimesh"], _LaterTrimesh):
            del sys.modules["trimesh"]
        return importlib.import_module("trimesh")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks every module for these
            raise AttributeError(name)
        return getattr(self.real(), name)


def _set_xla_flags(large_batches: bool) -> None:
    """Switches XLA's fusion emitters off on the CPU, unless batches are large or the user has set that flag."""
    flags = os.environ.get("XLA_FLAGS", "")
    has_switch = importlib.metadata.version("jaxlib").startswith(_JAXLIB_WITH_FUSION_SWITCH)
    if _on_cpu() and has_switch and not large_batches and _FUSION_SWITCH.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FUSION_SWITCH}".strip()
