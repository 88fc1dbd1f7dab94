"""Whether a world model has learnt anything, judged by its error relative to those of controls; used by all results."""

from __future__ import annotations

import xarray as xr

NOVEL_BEYOND = 0.99
"""A step is novel if its distance to the nearest training step is above this quantile of the distances from training
steps to the nearest training step of another episode."""
FAMILIAR_SHARE = 0.05
"""A test episode counts as like the training episodes up to this share of novel steps."""
NOT_TRAINED, LINEAR_IS_BETTER, TRAINED, UNTRAINED = "not trained", "linear is better", "trained", "untrained"
"""Verdicts on a training: no better than predicting that nothing changes; beaten by a linear fit; neither; never
trained."""


def verdict(recovery: xr.Dataset, model: str, training_seed: int) -> str:
    """The verdict on one training of a model in a task's recovery store, by the medians over its test episodes."""
    if recovery.attrs["ended"].get(f"{model}/{training_seed}") == UNTRAINED:
        return UNTRAINED
    run = {"model": model, "training_seed": training_seed}
    if not float(recovery.error_over_persistence.sel(run)) < 1:
        return NOT_TRAINED
    return TRAINED if float(recovery.error_over_linear.sel(run)) < 1 else LINEAR_IS_BETTER


def of_task(recovery: xr.Dataset, model: str) -> dict[int, str]:
    """The verdicts on a model by training seed; empty for a control."""
    return {
        seed: verdict(recovery, model, seed)
        for seed in recovery.training_seed.values.tolist()
        if f"{model}/{seed}" in recovery.attrs["ended"]
    }


def models(recovery: xr.Dataset) -> list[str]:
    """The models of a recovery store without its controls, in the store's order, whatever their verdict."""
    learners = {run.rpartition("/")[0] for run in recovery.attrs["ended"]}
    return [model for model in map(str, recovery.model.values) if model in learners]


def counting(recovery: xr.Dataset) -> xr.DataArray:
    """True for the trainings that count, [model, training_seed]: all but those with the verdict `not trained`."""
    names = [str(model) for model in recovery.model.values]
    seeds = recovery.training_seed.values.tolist()
    verdicts = [of_task(recovery, name) for name in names]
    counts = [[by_seed.get(seed) != NOT_TRAINED for seed in seeds] for by_seed in verdicts]
    return xr.DataArray(counts, dims=("model", "training_seed"), coords={"model": names, "training_seed": seeds})


def variable(measure: str) -> str:
    """The variable of recovery stores that holds `measure` per training; for state errors, the median over episodes."""
    return f"{measure}_median_of_seed" if measure in ("one_step_error", "rollout_error") else f"{measure}_of_seed"


def of_runs(recovery: xr.Dataset, measure: str) -> xr.DataArray:
    """A measure of every training, NaN for those that do not count."""
    return recovery[variable(measure)].where(counting(recovery))
