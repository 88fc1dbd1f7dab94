"""Scores of world models pooled over tasks and training seeds, and the sentences that summarise and compare them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.world_models import WorldModelsSettings
from dynamic_sparsity.tables.model_comparisons import direction, holm, signed_rank, verdict

_TASKS_FOR_INTERVALS = 3
PAIR = ("task", "training_seed")


class Pooled:
    """Scores of all tasks, models and training seeds, and how they are summarised."""

    def __init__(self, stores: Sequence[xr.Dataset]) -> None:
        self.tasks = [store.attrs["task"] for store in stores]
        pooled = [store.drop_attrs().drop_dims(["test_episode", "epoch"], errors="ignore") for store in stores]
        self.scores = xr.concat(pooled, dim="task", data_vars="all", coords="minimal", compat="override")
        self.novel_shares = [store.novel_share.values.ravel() for store in stores]
        """Of the test episodes of each task, in all training seeds."""
        self.policies = {store.attrs["task"]: store.attrs["policy"] for store in stores}
        settings = json.loads(stores[0].attrs["settings"])
        self.settings = WorldModelsSettings.model_validate(settings["world_models"])
        self.models = self.settings.models
        names = [name for name in map(str, self.scores.model.values) if name in self.models]
        self.trained = [name for name in names if self.models[name].trained]
        self.untrained = [name for name in names if not self.models[name].trained]
        self.verdicts = {
            name: [said for store in stores for said in learnt.of_task(store, name).values()]
            for name in map(str, self.scores.model.values)
        }
        """Of each model's runs (`learnt`); none of a control."""
        self.counts = xr.concat([learnt.counting(store) for store in stores], dim="task")
        """Which runs are not `not trained`, [task, model, training_seed]."""
        self.ended = [(store.attrs["task"], *run) for store in stores for run in store.attrs["ended"].items()]
        self._resampling = ResamplingSettings.model_validate(settings["resampling"])

    @property
    def plain(self) -> str:
        """The first plain MLP of the study, else its first model."""
        return next((name for name in self.trained if self.models[name].plain), str(self.scores.model.values[0]))

    def runs(self, model: str, wanted: str) -> list[str]:
        """The runs of a model with a verdict: task, model and training seed."""
        seeds = self.scores.training_seed.values.tolist()
        places = [f"{task} {model}/{seed}" for task in self.tasks for seed in seeds]
        return [place for place, said in zip(places, self.verdicts[model], strict=True) if said == wanted]

    def twin(self, name: str) -> str | None:
        """The trained model that is the same without the loss on the Jacobian."""
        losses = {"jacobian_loss", "jacobian_weight", "jacobian_columns", "jacobian_errors"}
        about = self.models[name].model_dump(exclude=losses)
        alike = (other for other in self.trained if self.models[other].model_dump(exclude=losses) == about)
        return next((other for other in alike if self.models[other].jacobian_loss is None), None)

    def of(self, measure: str, model: str, **where: Any) -> xr.DataArray:
        """A measure of one model, [task, training_seed], NaN for runs that are not trained.

        Scaled and of all steps unless said otherwise; errors of the state are medians over test episodes.
        """
        scores = self.scores[learnt.variable(measure)].where(self.counts)
        chosen = {"model": model, "basis": "scaled", "condition": "all", **where}
        return scores.sel({dim: value for dim, value in chosen.items() if dim in scores.dims}).transpose(*PAIR)

    def has_masks(self, model: str) -> bool:
        """Whether a model has masks, whether it has learnt or not."""
        return bool(self.scores.auroc_of_seed.sel(model=model, basis="mask", condition="all").notnull().any())

    def mean(self, measure: str, model: str, **where: Any) -> str:
        """Its mean in words, with the interval."""
        return self.summary(self.of(measure, model, **where).values, np.nanmean)

    def estimate(self, values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> tuple[float, float, float, int]:
        """(statistic, low, high, tasks) of an array whose first axis is the task, the interval from resampling tasks.

        Tasks without a known value are left out; the interval is NaN with fewer than three.
        """
        known = values[~np.isnan(values).reshape(len(values), -1).all(axis=1)]
        found = float(statistic(known)) if len(known) else np.nan
        if len(known) < _TASKS_FOR_INTERVALS:
            return found, np.nan, np.nan, len(known)
        given = self._resampling
        draws = np.random.default_rng(given.seed).integers(len(known), size=(given.resamples, len(known)))
        tail = (1 - given.confidence) / 2
        low, high = np.quantile([float(statistic(known[draw])) for draw in draws], [tail, 1 - tail], method="inverted_cdf")
        return found, float(low), float(high), len(known)

    def summary(self, values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> str:
        """The same in words."""
        found, low, high, tasks = self.estimate(values, statistic)
        if not tasks:
            return "unknown"
        if np.isnan(low):
            return f"{found:.3g} (no interval: {tasks} task{'s' if tasks > 1 else ''})"
        return f"{found:.3g} [{low:.3g}, {high:.3g}]"

    def compared(self, pairs: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Iterator[str]:
        """Which pairs of measures differ, then a sentence for each: whether the first is higher, by how much, p."""
        differences = {name: (ours - theirs).values for name, (ours, theirs) in pairs.items()}
        differences = {name: difference for name, difference in differences.items() if np.isfinite(difference).any()}
        known = [difference[np.isfinite(difference)] for difference in differences.values()]
        p_values = holm(np.array([signed_rank(difference) for difference in known]))
        verdicts = {
            name: verdict(direction(difference), p_value, len(difference), len(known))
            for name, difference, p_value in zip(differences, known, p_values, strict=True)
        }
        significant = [f"{name} ({said})" for name, said in verdicts.items() if said in ("higher", "lower")]
        yield f"Significant: {len(significant)} of {len(verdicts)} comparisons{': ' if significant else ''}" + (
            f"{'; '.join(significant)}."
        )
        for (name, difference), p_value in zip(differences.items(), p_values, strict=True):
            size = f"median difference {self.summary(difference, np.nanmedian)}, {np.isfinite(difference).sum()} pairs"
            yield f"{name}: {_SAID[verdicts[name]]} ({size}, corrected p = {p_value:.2g})."


_SAID = {
    "higher": "significantly higher",
    "lower": "significantly lower",
    "no significant difference": "no significant difference",
    "too few pairs": "too few pairs to tell",
}
