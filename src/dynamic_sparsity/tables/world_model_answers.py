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

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.definitions.learnt import FAMILIAR_SHARE, NOVEL_BEYOND
from dynamic_sparsity.tables._correlations import by_model, rank_correlations
from dynamic_sparsity.tables._pooled import PAIR, Pooled


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per question, from the recovery stores of all tasks."""
    del paper
    pooled = Pooled(stores)
    return pd.DataFrame([{"question": asked, "answer": " ".join(answer(pooled))} for asked, answer in QUESTIONS.items()])


def _learnt(pooled: Pooled) -> Iterator[str]:
    yield "Error of the next state over that of predicting that nothing changes, median over test episodes, by model:"
    for name in pooled.trained:
        over = pooled.scores.error_over_persistence.sel(model=name).transpose(*PAIR).values
        linear = pooled.scores.error_over_linear.sel(model=name).transpose(*PAIR).values
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
            asked[f"{size} and {label}"] = (values, by_model(pooled, measure, list(plain)))
    yield from rank_correlations(pooled, asked)
    if not asked:
        yield "workflow/studies/world_models.yaml is the study that asks it."


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
    everything = pooled.scores.true_sparsity_of_seed.max("model").transpose(*PAIR).values  # controls have none
    yield f"Calling every entry zero has an F1 of {pooled.summary(2 * everything / (1 + everything), np.nanmean)}."


def _errors(pooled: Pooled) -> Iterator[str]:
    if len(pooled.trained) < 3:
        yield f"Not asked: it takes three trained models, and this study has {len(pooled.trained)}."
        return
    yield "A negative correlation means that models which predict better recover better."
    recovery = by_model(pooled, "auroc", pooled.trained)
    longest = pooled.scores.horizon.values.max()
    after = by_model(pooled, "rollout_error", pooled.trained, horizon=longest)
    yield from rank_correlations(
        pooled,
        {
            "the error of the next state and AUROC": (by_model(pooled, "one_step_error", pooled.trained), recovery),
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
