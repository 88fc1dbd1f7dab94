"""Whether a world model has learnt anything, by its error beside those of controls: one definition for all that shows it."""

from __future__ import annotations

import xarray as xr

NOVEL_BEYOND = 0.99
"""A step is novel if it is farther from all training steps than this share of them are from those of other episodes."""
FAMILIAR_SHARE = 0.05
"""Share of novel steps up to which a test episode is like the training episodes."""
NOT_TRAINED, LINEAR_IS_BETTER, TRAINED, UNTRAINED = "not trained", "linear is better", "trained", "untrained"
"""Verdicts: no better than predicting that nothing changes; beaten by a linear fit; neither; never trained at all."""


def verdict(recovery: xr.Dataset, model: str, training_seed: int) -> str:
    """Of one training of a model in a task's recovery store, which says so by the medians of its test episodes."""
    if recovery.attrs["ended"].get(f"{model}/{training_seed}") == UNTRAINED:
        return UNTRAINED
    run = {"model": model, "training_seed": training_seed}
    if not float(recovery.error_over_persistence.sel(run)) < 1:
        return NOT_TRAINED
    return TRAINED if float(recovery.error_over_linear.sel(run)) < 1 else LINEAR_IS_BETTER


def of_task(recovery: xr.Dataset, model: str) -> dict[int, str]:
    """Verdicts of a model by its training seed; none for a control."""
    return {
        seed: verdict(recovery, model, seed)
        for seed in recovery.training_seed.values.tolist()
        if f"{model}/{seed}" in recovery.attrs["ended"]
    }


def models(recovery: xr.Dataset) -> list[str]:
    """The models of a recovery store, in its order, trained or not: all but the controls."""
    found = {run.rpartition("/")[0] for run in recovery.attrs["ended"]}
    return [model for model in map(str, recovery.model.values) if model in found]


def counting(recovery: xr.Dataset) -> xr.DataArray:
    """Which runs count, [model, training_seed]: all but those that are not trained."""
    names = [str(model) for model in recovery.model.values]
    seeds = recovery.training_seed.values.tolist()
    verdicts = [of_task(recovery, name) for name in names]
    found = [[said.get(seed) != NOT_TRAINED for seed in seeds] for said in verdicts]
    return xr.DataArray(found, dims=("model", "training_seed"), coords={"model": names, "training_seed": seeds})


def variable(measure: str) -> str:
    """What a measure of each run is called in recovery stores: errors of the state are medians over test episodes."""
    return f"{measure}_median_of_seed" if measure in ("one_step_error", "rollout_error") else f"{measure}_of_seed"


def of_runs(recovery: xr.Dataset, measure: str) -> xr.DataArray:
    """A measure of every run, NaN for those that do not count."""
    return recovery[variable(measure)].where(counting(recovery))
