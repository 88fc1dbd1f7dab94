"""What the stages of world models share: the stores of all seeds, and world models, that they read."""

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
    """Add `--rollout`, `--jacobian` and `--sparsity`, one store per seed."""
    for name in ("rollout", "jacobian", "sparsity"):
        options.add_argument(f"--{name}", required=True, nargs="+", type=Path)


def open_inputs(stage: Section, given: argparse.Namespace, **more: list[Path]) -> dict[str, list[xr.Dataset]]:
    """These stores, and `more`, by their kind, in the order of their seeds; raises UserError unless they agree.

    They may be of several policies, whose episodes are learnt from together.
    """
    paths = {"rollouts": given.rollout, "jacobians": given.jacobian, "sparsity": given.sparsity}
    return _inputs.open_inputs(stage, {**paths, **more}, [name for name in RUN if name != "policy"])


def identity_of(sparsity: list[xr.Dataset]) -> dict[str, Any]:
    """What the stores say of the runs that are learnt from together, whose policies become one name (`expert_noise`)."""
    acted = {data.attrs["policy"] for data in sparsity}
    together = "_".join(name for name in PolicySettings.model_fields if name in acted)
    identity = runs.identity_of(*(data.assign_attrs(policy=together) for data in sparsity))
    return {**identity, "seeds": sorted({data.attrs["seed"] for data in sparsity})}


def check_complete(models: list[xr.Dataset]) -> None:
    """Raise UserError unless each world model is there in every seed."""
    given = Counter((model.attrs["model"], model.attrs["training_seed"]) for model in models)
    names, seeds = ({run[place] for run in given} for place in (0, 1))
    if wrong := [f"{name}/{seed}" for name in names for seed in seeds if given[name, seed] != 1]:
        raise UserError(
            f"world models {', '.join(sorted(wrong))} are missing or there twice: give each model in every seed once"
        )
