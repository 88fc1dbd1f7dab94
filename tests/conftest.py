"""Shared by all tests: shapes checked at run time, double precision, one compile cache for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("DYNAMIC_SPARSITY_CACHE", str(ROOT / ".cache"))

from dynamic_sparsity import runtime  # noqa: E402  (before jax is imported, which jaxtyping does)

# All cores: the suite pins nothing, so that the jobs it starts find free cores.
runtime.configure_jax(threads=os.cpu_count() or 1, double_precision=True)

from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("dynamic_sparsity", "beartype.beartype")
