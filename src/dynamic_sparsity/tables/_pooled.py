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
    """Scores of all tasks, models and training seeds, from the recovery stores of a study."""

    def __init__(self, stores: Sequence[xr.Dataset]) -> None:
        self.tasks = [store.attrs["task"] for store in stores]
        pooled = [store.drop_attrs().drop_dims(["test_episode", "epoch"], errors="ignore") for store in stores]
        self.scores = xr.concat(pooled, dim="task", data_vars="all", coords="minimal", compat="override")
        self.novel_shares = [store.novel_share.values.ravel() for store in stores]
        """Shares of novel steps in the test episodes of each task, over all training seeds."""
        self.policies = {store.attrs["task"]: store.attrs["policy"] for store in stores}
        settings = json.loads(stores[0].attrs["settings"])
        self.settings = WorldModelsSettings.model_validate(settings["world_models"])
        self.models = self.settings.models
        names = [name for name in map(str, self.scores.model.values) if name in self.models]
        self.trained = [name for name in names if self.models[name].trained]
        self.untrained = [name for name in names if not self.models[name].trained]
        self.verdicts = {
            name: [verdict for store in stores for verdict in learnt.of_task(store, name).values()]
            for name in map(str, self.scores.model.values)
        }
        """Verdicts (`definitions.learnt`) on the runs of each model, task by task; controls have none."""
        self.counting = xr.concat([learnt.counting(store) for store in stores], dim="task")
        """True for runs that count, all but those that are not trained, [task, model, training_seed]."""
        self.ended = [(store.attrs["task"], *run) for store in stores for run in store.attrs["ended"].items()]
        """(task, model/training seed, how its training ended) of every run."""
        self._resampling = ResamplingSettings.model_validate(settings["resampling"])

    @property
    def plain(self) -> str:
        """The first plain MLP of the study, or its first model if there is none."""
        return next((name for name in self.trained if self.models[name].plain), str(self.scores.model.values[0]))

    def runs_with_verdict(self, model: str, wanted_verdict: str) -> list[str]:
        """The runs of a model that have this verdict, as "task model/training seed"."""
        seeds = self.scores.training_seed.values.tolist()
        runs = [f"{task} {model}/{seed}" for task in self.tasks for seed in seeds]
        return [run for run, verdict in zip(runs, self.verdicts[model], strict=True) if verdict == wanted_verdict]

    def twin(self, name: str) -> str | None:
        """The trained model that differs only in having no loss on the Jacobian; None if there is none."""
        losses = {"jacobian_loss", "jacobian_weight", "jacobian_columns", "jacobian_errors"}
        settings = self.models[name].model_dump(exclude=losses)
        alike = (model for model in self.trained if self.models[model].model_dump(exclude=losses) == settings)
        return next((model for model in alike if self.models[model].jacobian_loss is None), None)

    def measured(self, measure: str, model: str, **selection: Any) -> xr.DataArray:
        """A measure of one model, [task, training_seed]; NaN for runs that are not trained.

        Unless `selection` says otherwise, it is for scaled entries and all steps. Errors of the state are medians over
        test episodes.
        """
        scores = self.scores[learnt.variable(measure)].where(self.counting)
        labels = {"model": model, "basis": "scaled", "condition": "all", **selection}
        return scores.sel({dim: label for dim, label in labels.items() if dim in scores.dims}).transpose(*PAIR)

    def has_masks(self, model: str) -> bool:
        """Whether a model has masks, even if none of its runs is trained."""
        return bool(self.scores.auroc_of_seed.sel(model=model, basis="mask", condition="all").notnull().any())

    def mean(self, measure: str, model: str, **selection: Any) -> str:
        """The mean of a measure (`measured`) with its interval, in words."""
        return self.summary(self.measured(measure, model, **selection).values, np.nanmean)

    def estimate(self, values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> tuple[float, float, float, int]:
        """(statistic, low, high, number of tasks) of an array whose first axis is the task.

        The interval comes from resampling tasks. Tasks without a known value are left out; with fewer than three tasks,
        the interval is NaN.
        """
        known = values[~np.isnan(values).reshape(len(values), -1).all(axis=1)]
        estimate = float(statistic(known)) if len(known) else np.nan
        if len(known) < _TASKS_FOR_INTERVALS:
            return estimate, np.nan, np.nan, len(known)
        resampling = self._resampling
        generator = np.random.default_rng(resampling.seed)
        draws = generator.integers(len(known), size=(resampling.resamples, len(known)))
        tail = (1 - resampling.confidence) / 2
        estimates = [float(statistic(known[draw])) for draw in draws]
        low, high = np.quantile(estimates, [tail, 1 - tail], method="inverted_cdf")
        return estimate, float(low), float(high), len(known)

    def summary(self, values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> str:
        """An estimate with its interval (`estimate`), in words."""
        estimate, low, high, tasks = self.estimate(values, statistic)
        if not tasks:
            return "unknown"
        if np.isnan(low):
            return f"{estimate:.3g} (no interval: {tasks} task{'s' if tasks > 1 else ''})"
        return f"{estimate:.3g} [{low:.3g}, {high:.3g}]"

    def compared(self, pairs: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Iterator[str]:
        """Sentences that compare pairs of measures: which differ significantly, then each difference with its p-value.

        `pairs` maps the name of a comparison to two arrays [task, training_seed]. "higher" means that the first is
        higher.
        """
        differences = {name: (first - second).values for name, (first, second) in pairs.items()}
        differences = {name: difference for name, difference in differences.items() if np.isfinite(difference).any()}
        known = [difference[np.isfinite(difference)] for difference in differences.values()]
        p_values = holm(np.array([signed_rank(difference) for difference in known]))
        verdicts = {
            name: verdict(direction(difference), p_value, len(difference), len(known))
            for name, difference, p_value in zip(differences, known, p_values, strict=True)
        }
        significant = [f"{name} ({of_pair})" for name, of_pair in verdicts.items() if of_pair in ("higher", "lower")]
        yield f"{len(significant)} of {len(verdicts)} comparisons {'is' if len(significant) == 1 else 'are'} significant" + (
            f": {'; '.join(significant)}." if significant else "."
        )
        for (name, difference), p_value in zip(differences.items(), p_values, strict=True):
            size = f"median difference {self.summary(difference, np.nanmedian)}, {np.isfinite(difference).sum()} pairs"
            yield f"{name}: {_IN_WORDS[verdicts[name]]} ({size}, corrected p = {p_value:.2g})."


_IN_WORDS = {
    "higher": "significantly higher",
    "lower": "significantly lower",
    "no significant difference": "no significant difference",
    "too few pairs": "too few pairs to tell",
}
