"""What the world models of this study say, question by question.

Every paragraph is written from the recovery stores of all tasks. A run that is not trained, no better than predicting that
nothing changes, answers nothing and is in no number but those of the first paragraph. Numbers are means over tasks and
training seeds on test episodes (of errors: of their medians over these), in brackets their interval from resampling tasks; a
difference is a median over pairs (same task, same seed), its interval too from resampling tasks. Tests are Wilcoxon's
signed-rank test over these pairs, two-sided, corrected within a paragraph (Holm); "no significant difference" means a
corrected p of at least 0.05, not that there is none. Pairs of one task share its data, which the test does not know and the
intervals do. AUROC: of non-zero against zero entries of the scaled Jacobian, 0.5 for chance. Relative sparsity: zeros of the
model over true zeros, 1 for a model that has as many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.definitions.learnt import FAMILIAR_SHARE, NOVEL_BEYOND
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.world_models import WorldModelsSettings
from dynamic_sparsity.tables.model_comparisons import direction, holm, signed_rank, verdict

_TASKS_FOR_INTERVALS = 3
_PAIR = ("task", "training_seed")


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per question, from the recovery stores of all tasks."""
    del paper
    pooled = Pooled(stores)
    return pd.DataFrame([{"question": asked, "answer": " ".join(answer(pooled))} for asked, answer in QUESTIONS.items()])


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
        return scores.sel({dim: value for dim, value in chosen.items() if dim in scores.dims}).transpose(*_PAIR)

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


def _learnt(pooled: Pooled) -> Iterator[str]:
    yield "Error of the next state over that of predicting that nothing changes, median over test episodes, by model:"
    for name in pooled.trained:
        over = pooled.scores.error_over_persistence.sel(model=name).transpose(*_PAIR).values
        linear = pooled.scores.error_over_linear.sel(model=name).transpose(*_PAIR).values
        yield (
            f"{name}: {pooled.summary(over, np.nanmedian)}, worst {np.nanmax(over):.3g}; over that of a linear fit"
            f" {pooled.summary(linear, np.nanmedian)}, worst {np.nanmax(linear):.3g}."
        )
    for said, what in _VERDICTS.items():
        runs = [run for name in pooled.trained for run in pooled.runs(name, said)]
        yield f"{what}: {'; '.join(runs) if runs else 'none'}."
    novel = np.concatenate(pooled.novel_shares)
    if np.isnan(novel).all():
        yield "Whether test episodes are like those of training is unknown: there is one training episode."
        return
    known, unlike = int(np.isfinite(novel).sum()), int((novel > FAMILIAR_SHARE).sum())
    yield (
        f"Of {known} test episodes (of all training seeds) {unlike} are unlike those of training (more than"
        f" {FAMILIAR_SHARE:.0%} of their steps farther from all training steps than {NOVEL_BEYOND:.0%} of these from those"
        " of other episodes)."
    )


_VERDICTS = {
    learnt.NOT_TRAINED: "Not trained (no better than nothing changes; they answer nothing below)",
    learnt.LINEAR_IS_BETTER: "Beaten by the linear fit (to be read with that in mind)",
}


def _plain(pooled: Pooled) -> Iterator[str]:
    model = pooled.plain
    yield (
        f"{model} has an AUROC of {pooled.mean('auroc', model)} and a relative sparsity of"
        f" {pooled.mean('relative_sparsity', model)} at |x| < {pooled.settings.zero_threshold:g} (target 1)."
    )
    yield (
        f"A static oracle, which knows how often each entry is non-zero and nothing of the state, has an AUROC of"
        f" {pooled.mean('auroc', 'static_oracle')} (from the test episode itself); linear least squares"
        f" {pooled.mean('auroc', 'linear')}, local linear fits"
        f" {pooled.mean('auroc', 'neighbours')}. Within each entry over time the skill of {model} is"
        f" {pooled.mean('skill_by_entry', model)} (0: whatever is constant, 1: the truth)."
    )
    others = [*pooled.untrained, "persistence", "linear", "neighbours", "static_oracle"]
    yield from pooled.compared(
        {f"AUROC against {other}": (pooled.of("auroc", model), pooled.of("auroc", other)) for other in others}
    )


def _losses(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    chosen = [name for name in pooled.trained if pooled.models[name].jacobian_loss]
    if not chosen:
        yield "This study trains no model with a loss on the Jacobian."
        return
    for name in chosen:
        yield (
            f"{name}: AUROC {pooled.mean('auroc', name)}, relative sparsity {pooled.mean('relative_sparsity', name)},"
            f" error of the next state {pooled.mean('one_step_error', name)}."
        )
    twins = {name: pooled.twin(name) or first for name in chosen}
    if unlike := [name for name in chosen if not pooled.twin(name)]:
        yield f"{first} differs from {', '.join(unlike)} in more than the loss: what follows is not the loss alone."
    measures = {"AUROC": "auroc", "relative sparsity": "relative_sparsity", "error of the next state": "one_step_error"}
    yield from pooled.compared(
        {
            f"{label} of {name} against {twins[name]}": (pooled.of(measure, name), pooled.of(measure, twins[name]))
            for label, measure in measures.items()
            for name in chosen
        }
    )


def _masks(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    masked = [name for name in pooled.trained if pooled.has_masks(name)]
    if not masked:
        yield "This study trains no model with masks."
        return
    yield "A mask is open or closed, so its AUROC is that of one point: the mean of its two rates of being right."
    pairs = {}
    for name in masked:
        by_mask = pooled.of("auroc", name, basis="mask")
        yield (
            f"{name}: AUROC of its masks {pooled.mean('auroc', name, basis='mask')}, of its Jacobian"
            f" {pooled.mean('auroc', name)}; skill of its masks within each entry over time"
            f" {pooled.mean('skill_by_entry', name, basis='mask')}."
        )
        pairs[f"AUROC of the masks of {name} against the Jacobian of {first}"] = (by_mask, pooled.of("auroc", first))
        pairs[f"AUROC of the Jacobian of {name} against that of {first}"] = (
            pooled.of("auroc", name),
            pooled.of("auroc", first),
        )
    yield from pooled.compared(pairs)


def _conditions(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    yield "Predicting the mean has an error of about 1."
    for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error")):
        parts = [f"{pooled.mean(measure, first, condition=c)} {where}" for c, where in _WHERE.items()]
        yield f"{label} of {first}: {', '.join(parts)}."
    yield from pooled.compared(
        {
            f"{label} of {name}, in contact against free": (
                pooled.of(measure, name, condition="contact"),
                pooled.of(measure, name, condition="free"),
            )
            for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error"))
            for name in pooled.trained
        }
    )


_WHERE = {
    "contact": "in contact",
    "limit": "at a limit",
    "free": "in free steps",
    "near_switch": "within two steps of a switch",
}


def _switches(pooled: Pooled) -> Iterator[str]:
    yield "Precision is unknown where none is detected."
    for name in pooled.trained:
        for basis in ("scaled", "mask") if pooled.has_masks(name) else ("scaled",):
            found = [
                f"{margin}: {pooled.mean('switch_precision', name, basis=basis, margin=margin)} and"
                f" {pooled.mean('switch_recall', name, basis=basis, margin=margin)}"
                for margin in pooled.scores.margin.values
            ]
            what = "masks" if basis == "mask" else "thresholded Jacobian"
            yield f"Switches of the {what} of {name}, precision and recall by margin in steps: {'; '.join(found)}."


def _sizes(pooled: Pooled) -> Iterator[str]:
    plain = {name: pooled.models[name] for name in pooled.trained if pooled.models[name].plain}
    asked = {}
    for size in ("depth", "width"):
        values = np.array([getattr(model, size) for model in plain.values()])
        if len(set(values)) < 3:
            yield f"Not asked of {size}: the MLPs of this study have {', '.join(map(str, sorted(set(values)))) or 'none'}."
            continue
        for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error")):
            asked[f"{size} and {label}"] = (values, _by_model(pooled, measure, list(plain)))
    yield from _rank_correlations(pooled, asked)
    if not asked:
        yield "workflow/studies/world_models.yaml is the study that asks it."


def _by_model(pooled: Pooled, measure: str, models: Sequence[str], **where: Any) -> np.ndarray:
    """Means over training seeds, [task, model]."""
    return np.stack([pooled.of(measure, name, **where).mean("training_seed").values for name in models], axis=1)


def _rank_correlations(pooled: Pooled, asked: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
    """Of pairs of measures over models, [task, model] (or one row for all), within each task; a sentence each."""
    found = {
        what: np.array([_spearman(*pair) for pair in zip(np.broadcast_to(values, by_model.shape), by_model, strict=True)])
        for what, (values, by_model) in asked.items()
    }
    known = [of_tasks[np.isfinite(of_tasks)] for of_tasks in found.values()]
    p_values = holm(np.array([signed_rank(of_tasks) for of_tasks in known]))
    for (what, of_tasks), given, p_value in zip(found.items(), known, p_values, strict=True):
        start = f"Rank correlation of {what} over the models of a task"
        if not len(given):
            yield f"{start}: unknown, one of them is missing or does not vary."
            continue
        said = _CORRELATED[verdict(direction(given), p_value, len(given), len(known))]
        tasks = f"{len(given)} task{'s' if len(given) > 1 else ''}"
        yield f"{start}: {pooled.summary(of_tasks, np.nanmean)}, {said} ({tasks}, corrected p = {p_value:.2g})."


_CORRELATED = {
    "higher": "significantly positive",
    "lower": "significantly negative",
    "no significant difference": "no significant correlation",
    "too few pairs": "too few tasks to tell",
}


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    known = ~(np.isnan(first) | np.isnan(second))
    if known.sum() < 3 or min(len(set(first[known])), len(set(second[known]))) == 1:
        return np.nan
    return float(scipy.stats.spearmanr(first[known], second[known]).statistic)


def _thresholds(pooled: Pooled) -> Iterator[str]:
    for name in pooled.trained:
        by_threshold = pooled.scores.sel(model=name)
        f1, ratio = (
            by_threshold[learnt.variable(measure)].where(pooled.counts.sel(model=name)).mean(("task", "training_seed"))
            for measure in ("zero_f1_at", "relative_sparsity_at")
        )
        if f1.isnull().all():
            continue
        best, nearest = (float(pooled.scores.threshold[int(array.values.argmax())]) for array in (f1, -abs(ratio - 1)))
        yield (
            f"{name}: of the thresholds on scaled entries, {best:g} has the best F1 of zeros in these test episodes,"
            f" {pooled.mean('zero_f1_at', name, threshold=best)}; {nearest:g} comes nearest to as many zeros as there are,"
            f" {pooled.mean('relative_sparsity_at', name, threshold=nearest)} times as many. With the threshold from"
            f" validation episodes F1 is {pooled.mean('zero_f1', name)}."
        )
    everything = pooled.scores.true_sparsity_of_seed.max("model").transpose(*_PAIR).values  # controls have none
    yield f"Calling every entry zero has an F1 of {pooled.summary(2 * everything / (1 + everything), np.nanmean)}."


def _errors(pooled: Pooled) -> Iterator[str]:
    if len(pooled.trained) < 3:
        yield f"Not asked: it takes three trained models, and this study has {len(pooled.trained)}."
        return
    yield "A negative correlation means that models which predict better recover better."
    recovery = _by_model(pooled, "auroc", pooled.trained)
    longest = pooled.scores.horizon.values.max()
    after = _by_model(pooled, "rollout_error", pooled.trained, horizon=longest)
    yield from _rank_correlations(
        pooled,
        {
            "the error of the next state and AUROC": (_by_model(pooled, "one_step_error", pooled.trained), recovery),
            f"the error after rolling out {longest} steps and AUROC": (after, recovery),
        },
    )


def _ended(pooled: Pooled) -> Iterator[str]:
    counts = pd.Series([how for *_, how in pooled.ended]).value_counts()
    yield f"Of {len(pooled.ended)} runs: {', '.join(f'{count} {how}' for how, count in counts.items())}."
    if diverged := [f"{task}, {run}" for task, run, how in pooled.ended if how == "diverged"]:
        yield (
            f"Diverged (task, model/seed): {'; '.join(diverged)}. All tables have them, by the weights of their best epoch."
        )


def _choices(pooled: Pooled) -> Iterator[str]:
    given, training = pooled.settings, pooled.settings.training
    waited = f"stopped after {training.patience} epochs without a lower validation loss"
    stopped = waited if training.patience else "not stopped early"
    learnt_from = ", ".join(f"{task} {policy.replace('_', ' and ')}" for task, policy in pooled.policies.items())
    yield f"Learnt from the episodes of: {learnt_from}."
    yield (
        f"Predicted: the {given.target.replace('_', ' ')}. Optimiser: Adam, rate {training.learning_rate:g} falling to"
        f" 0 along a cosine, batches of {training.batch}, {training.epochs} epochs or at most {training.seconds:g} s,"
        f" {stopped}; weights of the epoch with the lowest validation loss."
        f" Split: {given.validation:.0%} of the episodes for validation, {given.test:.0%} for tests, seeds"
        f" {', '.join(map(str, given.seeds))}. Zero: |x| < {given.zero_threshold:g}."
    )
    for name, model in pooled.models.items():
        about = [f"{model.network}, depth {model.depth}, width {model.width}"]
        if not model.trained:
            about.append("untrained")
        if loss := model.jacobian_loss:
            columns = model.jacobian_columns
            drawn = f"{columns} random column{'s' if columns != 1 else ''} a sample" if columns else "all columns"
            errors = f", {model.jacobian_errors} errors" if loss != "l1" else ""
            about.append(f"loss {loss} on the Jacobian with weight {model.jacobian_weight:g}{errors}, {drawn}")
        if model.network in ("gated", "attention"):
            about.append(f"weight {model.mask_weight:g} on open masks above a share of {model.mask_budget:g}")
        yield f"{name}: {', '.join(about)}."


QUESTIONS: dict[str, Callable[[Pooled], Iterator[str]]] = {
    "Have the models learnt?": _learnt,
    "Does a plain MLP recover the sparsity?": _plain,
    "Do losses on the Jacobian help?": _losses,
    "Do masks recover it better?": _masks,
    "Is it recovered in contact, and out of it?": _conditions,
    "Are switches detected?": _switches,
    "Does the size of the MLP matter?": _sizes,
    "Does the threshold matter?": _thresholds,
    "Do models that predict better recover better?": _errors,
    "How did training end?": _ended,
    "What did we choose that the paper leaves open?": _choices,
}
"""The paragraphs, by question."""
