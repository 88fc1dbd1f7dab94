"""What the stages of world models share: the stores of all seeds that they read."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from dynamic_sparsity import stores
from dynamic_sparsity.errors import UserError


def add_inputs(options: argparse.ArgumentParser) -> None:
    """Add `--rollout`, `--jacobian` and `--sparsity`, one store per seed."""
    for name in ("rollout", "jacobian", "sparsity"):
        options.add_argument(f"--{name}", required=True, nargs="+", type=Path)


def open_inputs(given: argparse.Namespace) -> dict[str, list[xr.Dataset]]:
    """These stores by their kind, in the order of their seeds."""
    kinds = {"rollouts": given.rollout, "jacobians": given.jacobian, "sparsity": given.sparsity}
    return {kind: stores.open_seeds(paths, kind) for kind, paths in kinds.items()}


def open_models(paths: Sequence[Path], sparsity: xr.Dataset) -> list[xr.Dataset]:
    """Stores of world models.

    Raises UserError for one that is of another run than the sparsity store, and unless each model is there in every seed.
    """
    models = []
    for path in paths:
        model = stores.open_store(path, "world_models")
        for name in ("task", "policy", "method", "threshold"):
            if model.attrs[name] != sparsity.attrs[name]:
                raise UserError(
                    f"{path} is of {name} {model.attrs[name]}, not {sparsity.attrs[name]}: give world models that were"
                    " trained on these stores"
                )
        models.append(model)
    given = Counter((model.attrs["model"], model.attrs["training_seed"]) for model in models)
    names, seeds = ({run[place] for run in given} for place in (0, 1))
    if wrong := [f"{name}/{seed}" for name in names for seed in seeds if given[name, seed] != 1]:
        raise UserError(
            f"world models {', '.join(sorted(wrong))} are missing or there twice: give each model in every seed once"
        )
    return models
