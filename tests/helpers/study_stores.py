"""Stores of every kind, as the stages of a small study would write them, or with one thing changed."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.stages import _inputs
from dynamic_sparsity.stores.provenance import _version, provenance
from dynamic_sparsity.stores.writing import write_store
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies

STUDY = studies.load_study(
    {
        "tasks": ["CartpoleBalance"],
        "policies": {"noise": {"beta": 0.5, "scale": 0.5}, "zero": {}},
        "seeds": [0, 1],
        "rollouts": {"episodes": 2, "steps": 3},
        "ablation": {"tasks": ["CartpoleBalance"], "variants": ["implicit"]},
        "world_models": {"models": {"mlp": {}, "gated": {"network": "gated", "jacobian_columns": None}}, "seeds": [3, 4]},
    }
)
READ = {
    "jacobians": ["rollouts"],
    "structure": ["rollouts"],
    "sparsity": ["jacobians"],
    "durations": ["sparsity"],
    "summary": ["sparsity"],
    "survival": ["sparsity"],
    "patterns": ["sparsity"],
    "horizons": ["jacobians"],
    "clustering": ["sparsity"],
    "interventions": ["rollouts", "jacobians"],
    "embedding": ["rollouts", "sparsity"],
    "frames": ["rollouts", "embedding"],
    "ablation_jacobians": ["rollouts"],
    "ablation": ["ablation_jacobians"],
    "world_models": ["rollouts", "jacobians", "sparsity"],
    "recovery": ["rollouts", "jacobians", "sparsity", "world_models"],
}
"""The kinds of stores that each stage reads; tables and figures read any of these."""
ARRAYS = {
    "rollouts": {"qpos": ("episode", "time", "qpos_dim"), "qvel": ("episode", "time", "dof")},
    "jacobians": {"jacobian": ("episode", "time", "out_dim", "in_dim")},
    "ablation_jacobians": {"jacobian": ("episode", "way", "time", "out_dim", "in_dim")},
    "sparsity": dict.fromkeys(("zero", "finite"), ("episode", "time", "out_dim", "in_dim")),
    "world_models": {"jacobian": ("episode", "time", "out_dim", "in_dim")},
}
SIZES = {"episode": 2, "time": 3, "qpos_dim": 4, "dof": 5, "out_dim": 3, "in_dim": 4, "way": 2}
OLD = dict.fromkeys(SIMULATOR, "1.0")


def stage_of(name, study=STUDY, policy="noise"):
    """A stage's settings, as its job gets them."""
    return STAGES[name].model_validate_json(dependencies.stage_settings(study, name, policy))


def settings_of(kind, study=STUDY, policy="noise", variant="exact", model="mlp"):
    if kind == "world_models":
        text = dependencies.world_model_settings(study, policy, model, variant)
    else:
        text = dependencies.stage_settings(study, kind, policy, variant)
    return STAGES[kind].model_validate_json(text).model_dump()


def identity_of(kind, variant):
    one, many = {"seed": 0}, {"seeds": [0, 1]}
    method = variant.partition("-")[0]
    return {
        "rollouts": one,
        "jacobians": {**one, "method": method, "variant": variant},
        "ablation_jacobians": one,
        "sparsity": {**one, "method": method, "threshold": 1e-12},
        "durations": {**one, "method": method, "threshold": 1e-12},
        "world_models": {
            **{"model": "mlp", "training_seed": 3, "ended": "all epochs", "zero_threshold": 1e-6},
            **{**many, "method": method, "threshold": 1e-12},
        },
    }.get(kind, {**many, "method": method, "threshold": 1e-12})


def made(
    directory, kind, *, study=STUDY, variant="exact", name=None, changed=(), made_by=None, sizes=None, length=3, **attrs
):
    """Write a store of a kind as its stage would, and return its path; `changed` is (key, …, value) of its settings."""
    sizes = {**SIZES, **(sizes or {})}
    attrs = {"task": "CartpoleBalance", "policy": "noise", **identity_of(kind, variant), **attrs}
    settings = settings_of(kind, study, attrs["policy"], variant, attrs.get("model", "mlp"))
    if changed:
        *outer, last, value = changed
        inner = settings
        for key in outer:
            inner = inner[key]
        inner[last] = value
    of_dims = ARRAYS.get(kind, {"x": ("value",)})
    arrays: dict[str, Any] = {
        array: (dims, np.zeros([sizes.get(dim, 1) for dim in dims])) for array, dims in of_dims.items()
    }
    if kind in ARRAYS:
        arrays["length"] = xr.Variable("episode", np.full(sizes["episode"], length, np.int32))
    versions = {simulated: {name: _version(name) for name in SIMULATOR} for simulated in ("rollouts", "jacobians")}
    attrs = provenance(kind, settings, **attrs, simulator_versions={} if kind == "rollouts" else versions)
    attrs["simulator_versions"] = {**attrs["simulator_versions"], **(made_by or {})}
    path = directory / (
        name or f"{kind}-{attrs.get('seed', '')}{attrs.get('model', '')}{attrs.get('training_seed', '')}.zarr"
    )
    write_store(path, xr.Dataset(arrays, attrs=attrs))
    return path


def last_model(kind):
    """The world model of the last store of a kind, of those that `inputs` makes."""
    return "gated" if kind == "world_models" else "mlp"


def inputs(directory, stage, **odd):
    """The stores that a stage reads, by kind; `odd` changes how the last one of a kind is made."""
    paths = {}
    for kind in READ[stage]:
        last = odd.get(kind, {})
        if kind == "world_models":
            stores = [{"model": model, "training_seed": seed} for model in ("mlp", "gated") for seed in (3, 4)]
        elif "seed" in identity_of(kind, "exact"):
            stores = [{"seed": seed} for seed in (0, 1)]
        else:
            stores = [{}]
        if stage in ("jacobians", "ablation_jacobians", "sparsity", "durations", "frames"):
            stores = stores[:1]
        named = [{**options, "name": f"{kind}-{number}.zarr"} for number, options in enumerate(stores)]
        paths[kind] = [made_once(kind, **options) for options in named[:-1]]
        paths[kind].append(made(directory, kind, **named[-1], **last) if last else made_once(kind, **named[-1]))
    return paths


@functools.cache
def made_once(kind, **options):
    """A store that is not changed; it is written once for all tests."""
    directory = Path(_KEPT.name) / str(made_once.cache_info().currsize)
    return made(directory, kind, **options)


_KEPT = tempfile.TemporaryDirectory()


def opened(stage, paths, study=STUDY):
    return _inputs.open_inputs(stage_of(stage, study), paths)
