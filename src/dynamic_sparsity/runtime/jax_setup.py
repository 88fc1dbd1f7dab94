"""XLA switches, precision and compile cache: set before jax is imported, once per process."""

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

# The versions that were measured to have the switch and to gain from it; XLA aborts on a flag that it does not know.
_JAXLIB_WITH_FUSION_SWITCH = ("0.7.",)

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
    mend_compile_cache()


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


def _set_xla_flags(large_batches: bool) -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    known = importlib.metadata.version("jaxlib").startswith(_JAXLIB_WITH_FUSION_SWITCH)
    if _on_cpu() and known and not large_batches and _FUSION_SWITCH.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FUSION_SWITCH}".strip()
