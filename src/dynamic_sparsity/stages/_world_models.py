"""Shared by the stages of world models: reading the stores of all study seeds, and of the world models."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.base import Section
from dynamic_sparsity.settings.policies import PolicySettings
from dynamic_sparsity.stages import _inputs
from dynamic_sparsity.stores import runs
from dynamic_sparsity.stores.schema import RUN


def add_inputs(options: argparse.ArgumentParser) -> None:
    """Add the options `--rollout`, `--jacobian` and `--sparsity`, each with one store per policy and study seed."""
    for name in ("rollout", "jacobian", "sparsity"):
        options.add_argument(f"--{name}", required=True, nargs="+", type=Path)


def open_inputs(stage: Section, arguments: argparse.Namespace, **more: list[Path]) -> dict[str, list[xr.Dataset]]:
    """The stores of `add_inputs`, and `more`, by kind, in the order of their seeds. Raises UserError unless they agree.

    The stores may belong to several policies, from whose episodes a world model learns together.
    """
    paths = {"rollouts": arguments.rollout, "jacobians": arguments.jacobian, "sparsity": arguments.sparsity}
    return _inputs.open_inputs(stage, {**paths, **more}, [name for name in RUN if name != "policy"])


def identity_of(sparsity: list[xr.Dataset]) -> dict[str, Any]:
    """Attributes that identify the stores together: their policies are joined to one name (`expert_noise`)."""
    policies = {data.attrs["policy"] for data in sparsity}
    together = "_".join(name for name in PolicySettings.model_fields if name in policies)
    identity = runs.identity_of(*(data.assign_attrs(policy=together) for data in sparsity))
    return {**identity, "seeds": sorted({data.attrs["seed"] for data in sparsity})}


def check_complete(models: list[xr.Dataset]) -> None:
    """Raise UserError unless there is one store of each world model for every training seed."""
    counts = Counter((model.attrs["model"], model.attrs["training_seed"]) for model in models)
    names, seeds = ({run[part] for run in counts} for part in (0, 1))
    if problems := [f"{name}/{seed}" for name in names for seed in seeds if counts[name, seed] != 1]:
        raise UserError(
            f"world models {', '.join(sorted(problems))} are missing or given twice: give each model once for every seed"
        )
