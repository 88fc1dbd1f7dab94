"""Provenance of stores: the attributes that say how a store was made."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import subprocess
from pathlib import Path
from typing import Any

from dynamic_sparsity import __version__
from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.stores.schema import SCHEMA_VERSION, SIMULATING

_VERSIONED = (*SIMULATOR, "brax", "numpy", "xarray", "zarr")


def provenance(kind: str, settings: dict[str, Any], **identity: Any) -> dict[str, Any]:
    """Attributes of a store: its kind, the settings it was made with, and the code that made it.

    `simulator_versions` holds the versions of the packages in `SIMULATOR` by the kind of store, of those in `SIMULATING`,
    that they made. `identity` brings them along from the input stores; a store of such a kind adds its own.
    """
    code = code_versions()
    own = {kind: {name: code["versions"][name] for name in SIMULATOR}} if kind in SIMULATING else {}
    return {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        **identity,
        "settings": json.dumps(settings, sort_keys=True),
        **code,
        "simulator_versions": {**identity.get("simulator_versions", {}), **own},
    }


def code_versions() -> dict[str, Any]:
    """Versions of the running code: this package's version and commit, and the packages that it computes with."""
    return {
        "dynamic_sparsity_version": __version__,
        "git_commit": _git_commit(),
        "versions": {name: _version(name) for name in _VERSIONED},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


@functools.cache
def _git_commit() -> str:
    """The commit of the code, with `-dirty` if files of the package differ from it; `unknown` outside a checkout.

    An edited config.yaml does not count, because stores hold their settings.
    """
    package = Path(__file__).parents[1]
    try:
        commit, edited = (
            subprocess.run(["git", *command], cwd=package, capture_output=True, text=True, timeout=20, check=True).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "--", "."])
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit.strip()}-dirty" if edited.strip() else commit.strip()
