"""Recovery stores of made-up tasks, whose scores are known."""

import json

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.world_models import WorldModelsSettings

SEEDS = [3, 5]
MODELS = {
    "mlp": {},
    "small": {"width": 64},
    "large": {"width": 1024},
    "mlp_sae_j": {"jacobian_loss": "sae"},
    "gated": {"network": "gated"},
    "as_drawn": {"trained": False},
}
CONTROLS = ["persistence", "linear", "neighbours", "static_oracle", "truth"]
AXES = {
    "basis": ["scaled", "raw", "mask"],
    "condition": ["all", "free", "contact", "limit", "near_switch"],
    "margin": [0, 1],
    "threshold": [1e-6, 1e-2, 1.0],
    "horizon": [1, 10],
}
DIMS = {
    **dict.fromkeys(("auroc", "skill_by_entry", "average_precision", "zero_f1", "leakage"), ("basis", "condition")),
    **dict.fromkeys(("one_step_error", "relative_error"), ("condition",)),
    **dict.fromkeys(("relative_sparsity", "true_sparsity"), ()),
    **dict.fromkeys(("switch_precision", "switch_recall"), ("basis", "margin")),
    **dict.fromkeys(("relative_sparsity_at", "zero_f1_at"), ("threshold",)),
    "rollout_error": ("horizon",),
}


def recovery_store(number, models=MODELS):
    """A loss that helps recovery and changes no error; larger is better; contact is worse; masks are no better."""
    rng = np.random.default_rng(number)
    names = [*models, *CONTROLS]
    axes = {**AXES, "model": names, "training_seed": SEEDS}
    data = xr.Dataset(coords={"training_seed": SEEDS, "model": names, **AXES})
    base = xr.DataArray(0.6 + 0.05 * rng.random(2), dims="training_seed")
    for name, dims in DIMS.items():
        ones = xr.DataArray(np.ones([len(axes[dim]) for dim in ("model", *dims)]), dims=("model", *dims))
        data[f"{name}_of_seed"] = base * ones
    auroc, error = data.auroc_of_seed, data.one_step_error_of_seed
    auroc.loc[{"model": "mlp_sae_j"}] += 0.1 + 0.01 * rng.random()
    auroc.loc[{"model": "as_drawn"}] -= 0.2
    for model, gain in (("small", -0.01), ("large", 0.01)):
        if model in names:
            auroc.loc[{"model": model}] += gain
            error.loc[{"model": model}] -= gain
    auroc.loc[{"condition": "contact"}] -= 0.05
    auroc.loc[{"basis": "mask", "model": [name for name in names if name != "gated"]}] = np.nan
    data.switch_recall_of_seed.loc[{"basis": "mask", "model": [name for name in names if name != "gated"]}] = np.nan
    data.zero_f1_at_of_seed.loc[{"threshold": 1e-2}] += 0.2
    error.loc[{"model": CONTROLS}] = np.nan
    for name in DIMS:
        data[name] = data[f"{name}_of_seed"].mean("training_seed")
    for name in ("one_step_error", "rollout_error"):
        data[f"{name}_median_of_seed"] = data[f"{name}_of_seed"]
    runs = ("model", "training_seed")
    data["error_over_persistence"] = runs, np.where(np.isin(names, CONTROLS), np.nan, 0.3)[:, None] * [1, 1]
    data["error_over_linear"] = data.error_over_persistence + 0.2
    data["novel_share"] = ("training_seed", "test_episode"), np.array([[0.0, 0.02], [0.01, 0.4]])
    settings = WorldModelsSettings(models=models, seeds=SEEDS)
    written = {"world_models": settings.model_dump(), "resampling": ResamplingSettings(resamples=100).model_dump()}
    ended = {f"{model}/{seed}": "all epochs" for model in models for seed in SEEDS}
    ended |= {f"as_drawn/{seed}": "untrained" for seed in SEEDS if "as_drawn" in models}
    if number == 0:
        ended["gated/5"] = "diverged"
    return data.assign_attrs(
        kind="recovery", task=f"Task{number}", policy="expert", ended=ended, settings=json.dumps(written)
    )
