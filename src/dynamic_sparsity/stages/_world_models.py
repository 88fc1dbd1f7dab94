"""What the stages of world models share: the stores of all seeds that they read."""

from __future__ import annotations

import argparse
from pathlib import Path

import xarray as xr

from dynamic_sparsity import stores


def add_inputs(options: argparse.ArgumentParser) -> None:
    """Add `--rollout`, `--jacobian` and `--sparsity`, one store per seed."""
    for name in ("rollout", "jacobian", "sparsity"):
        options.add_argument(f"--{name}", required=True, nargs="+", type=Path)


def open_inputs(given: argparse.Namespace) -> dict[str, list[xr.Dataset]]:
    """These stores by their kind, in the order of their seeds."""
    kinds = {"rollouts": given.rollout, "jacobians": given.jacobian, "sparsity": given.sparsity}
    return {kind: stores.open_seeds(paths, kind) for kind, paths in kinds.items()}
