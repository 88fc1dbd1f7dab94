"""Shared by all tests: shapes checked at run time, double precision, one compile cache for the whole suite.

Run with pytest-xdist (as `make test` does), each worker and the jobs that it starts keep to a core of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("DYNAMIC_SPARSITY_CACHE", str(ROOT / ".cache"))

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) % len(cores)]})

from dynamic_sparsity.runtime import rendering  # noqa: E402  (before jax is imported, which jaxtyping does)
from dynamic_sparsity.runtime.jax_setup import configure_jax  # noqa: E402

BACK_END = rendering.choose_back_end()

# Programs of the test process are compiled without LLVM's optimisations, in 60 % of the time. The jobs of a study drop
# this variable (tests/pipeline/project.py) and compile as they always do.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

# All cores that the worker has: none is claimed, so that the jobs it starts find them free.
configure_jax(threads=os.cpu_count() or 1, double_precision=True)

from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("dynamic_sparsity", "beartype.beartype")

from hypothesis import settings as hypothesis_settings  # noqa: E402

# A busy machine must not fail a test: time is measured in benchmarks. `make fuzz` asks for the nightly profile.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.register_profile("nightly", deadline=None, max_examples=10_000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "untimed"))
