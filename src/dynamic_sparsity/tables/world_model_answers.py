"""What the world models of this study show, question by question.

Every answer is computed from the recovery stores of all tasks. Training runs that predict no better than `persistence`
(nothing changes) have the verdict "not trained". They appear only in the first answer and in the answer on how training
ended.

Numbers are means over tasks and training seeds in test episodes; errors are means of their medians over test episodes.
Brackets hold an interval from resampling tasks. A difference is a median over pairs (same task, same training seed).

Tests are two-sided Wilcoxon signed-rank tests over these pairs, corrected within an answer (Holm). "No significant
difference" means that the corrected p is at least 0.05, not that there is no difference. The tests do not know that
pairs of one task share their data; the intervals do.

AUROC is that of non-zero against zero entries of the scaled Jacobian (0.5: chance). Relative sparsity is the number of
zeros of the model divided by that of true zeros (1: as many).
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
    return pd.DataFrame(
        [{"question": question, "answer": " ".join(sentences(pooled))} for question, sentences in QUESTIONS.items()]
    )


def _learnt(pooled: Pooled) -> Iterator[str]:
    yield "Error of the next state relative to that of predicting no change, median over test episodes, by model:"
    for name in pooled.trained:
        over_persistence = pooled.scores.error_over_persistence.sel(model=name).transpose(*PAIR).values
        over_linear = pooled.scores.error_over_linear.sel(model=name).transpose(*PAIR).values
        yield (
            f"{name}: {pooled.summary(over_persistence, np.nanmedian)}, worst {np.nanmax(over_persistence):.3g}; relative"
            f" to that of a linear fit {pooled.summary(over_linear, np.nanmedian)}, worst {np.nanmax(over_linear):.3g}."
        )
    for verdict, meaning in _VERDICTS.items():
        runs = [run for name in pooled.trained for run in pooled.runs_with_verdict(name, verdict)]
        yield f"{meaning}: {'; '.join(runs) if runs else 'none'}."
    novel_shares = np.concatenate(pooled.novel_shares)
    if np.isnan(novel_shares).all():
        yield "Whether test episodes are like training episodes is unknown, because there is only one training episode."
        return
    known, unlike = int(np.isfinite(novel_shares).sum()), int((novel_shares > FAMILIAR_SHARE).sum())
    yield (
        f"Of {known} test episodes, over all training seeds, {unlike} {'is' if unlike == 1 else 'are'} unlike the training"
        f" episodes: more than"
        f" {FAMILIAR_SHARE:.0%} of their steps are farther from all training steps than {NOVEL_BEYOND:.0%} of the training"
        " steps are from those of other episodes."
    )


_VERDICTS = {
    learnt.NOT_TRAINED: "Not trained (no better than predicting no change; left out of all answers below)",
    learnt.LINEAR_IS_BETTER: "No better than the linear fit (read their scores with that in mind)",
}


def _plain(pooled: Pooled) -> Iterator[str]:
    model = pooled.plain
    yield (
        f"{model} has an AUROC of {pooled.mean('auroc', model)} and a relative sparsity of"
        f" {pooled.mean('relative_sparsity', model)} at |x| < {pooled.settings.zero_threshold:g} (target 1)."
    )
    yield (
        f"The static oracle, which knows how often each entry is non-zero in the test episode but nothing of the state, has"
        f" an AUROC of {pooled.mean('auroc', 'static_oracle')}; linear least squares has"
        f" {pooled.mean('auroc', 'linear')}, and local linear fits have"
        f" {pooled.mean('auroc', 'neighbours')}. Within each entry over time, the skill of {model} is"
        f" {pooled.mean('skill_by_entry', model)} (0: any constant predictor, 1: the truth)."
    )
    references = [*pooled.untrained, "persistence", "linear", "neighbours", "static_oracle"]
    yield from pooled.compared(
        {
            f"AUROC against {reference}": (pooled.measured("auroc", model), pooled.measured("auroc", reference))
            for reference in references
        }
    )


def _losses(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    with_loss = [name for name in pooled.trained if pooled.models[name].jacobian_loss]
    if not with_loss:
        yield "This study trains no model with a loss on the Jacobian."
        return
    for name in with_loss:
        yield (
            f"{name}: AUROC {pooled.mean('auroc', name)}, relative sparsity {pooled.mean('relative_sparsity', name)},"
            f" error of the next state {pooled.mean('one_step_error', name)}."
        )
    twins = {name: pooled.twin(name) or first for name in with_loss}
    if unlike := [name for name in with_loss if not pooled.twin(name)]:
        yield (
            f"{first} differs from {', '.join(unlike)} in more than the loss, so the following differences between them are"
            " not due to the loss alone."
        )
    measures = {"AUROC": "auroc", "relative sparsity": "relative_sparsity", "error of the next state": "one_step_error"}
    yield from pooled.compared(
        {
            f"{label} of {name} against {twins[name]}": (
                pooled.measured(measure, name),
                pooled.measured(measure, twins[name]),
            )
            for label, measure in measures.items()
            for name in with_loss
        }
    )


def _masks(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    masked = [name for name in pooled.trained if pooled.has_masks(name)]
    if not masked:
        yield "This study trains no model with masks."
        return
    yield (
        "A mask is either open or closed, so its AUROC is the mean of its two rates of correct decisions, on non-zero and on"
        " zero entries."
    )
    pairs = {}
    for name in masked:
        by_mask = pooled.measured("auroc", name, basis="mask")
        yield (
            f"{name}: AUROC of its masks {pooled.mean('auroc', name, basis='mask')}, of its Jacobian"
            f" {pooled.mean('auroc', name)}; skill of its masks within each entry over time"
            f" {pooled.mean('skill_by_entry', name, basis='mask')}."
        )
        pairs[f"AUROC of the masks of {name} against the Jacobian of {first}"] = (by_mask, pooled.measured("auroc", first))
        pairs[f"AUROC of the Jacobian of {name} against that of {first}"] = (
            pooled.measured("auroc", name),
            pooled.measured("auroc", first),
        )
    yield from pooled.compared(pairs)


def _conditions(pooled: Pooled) -> Iterator[str]:
    first = pooled.plain
    yield "Predicting the mean next state has an error of about 1."
    for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error")):
        parts = [f"{pooled.mean(measure, first, condition=c)} {in_words}" for c, in_words in _CONDITIONS.items()]
        yield f"{label} of {first}: {', '.join(parts)}."
    yield from pooled.compared(
        {
            f"{label} of {name}, in contact against free": (
                pooled.measured(measure, name, condition="contact"),
                pooled.measured(measure, name, condition="free"),
            )
            for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error"))
            for name in pooled.trained
        }
    )


_CONDITIONS = {
    "contact": "in contact",
    "limit": "at a limit",
    "free": "in free steps",
    "near_switch": "within two steps of a switch",
}


def _switches(pooled: Pooled) -> Iterator[str]:
    yield "Precision is unknown if no switch is detected."
    for name in pooled.trained:
        for basis in ("scaled", "mask") if pooled.has_masks(name) else ("scaled",):
            by_margin = [
                f"{margin}: {pooled.mean('switch_precision', name, basis=basis, margin=margin)} and"
                f" {pooled.mean('switch_recall', name, basis=basis, margin=margin)}"
                for margin in pooled.scores.margin.values
            ]
            source = "masks" if basis == "mask" else "thresholded Jacobian"
            yield f"Switches of the {source} of {name}, precision and recall by margin in steps: {'; '.join(by_margin)}."


def _sizes(pooled: Pooled) -> Iterator[str]:
    plain = {name: pooled.models[name] for name in pooled.trained if pooled.models[name].plain}
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for size in ("depth", "width"):
        values = np.array([getattr(model, size) for model in plain.values()])
        if len(set(values)) < 3:
            present = ", ".join(map(str, sorted(set(values))))
            available = f"those of this study have {size} {present}" if present else "this study has none"
            yield f"Not tested for {size}: this takes plain MLPs of three {size}s, and {available}."
            continue
        for label, measure in (("AUROC", "auroc"), ("error of the next state", "one_step_error")):
            pairs[f"{size} and {label}"] = (values, by_model(pooled, measure, list(plain)))
    yield from rank_correlations(pooled, pairs)
    if not pairs:
        yield "The study workflow/studies/world_models.yaml answers this question."


def _thresholds(pooled: Pooled) -> Iterator[str]:
    for name in pooled.trained:
        by_threshold = pooled.scores.sel(model=name)
        f1, ratio = (
            by_threshold[learnt.variable(measure)].where(pooled.counting.sel(model=name)).mean(("task", "training_seed"))
            for measure in ("zero_f1_at", "relative_sparsity_at")
        )
        if f1.isnull().all():
            continue
        best, nearest = (float(pooled.scores.threshold[int(array.values.argmax())]) for array in (f1, -abs(ratio - 1)))
        yield (
            f"{name}: of the thresholds on scaled entries, {best:g} has the best F1 of zeros in these test episodes,"
            f" {pooled.mean('zero_f1_at', name, threshold=best)}; {nearest:g} gives the number of zeros closest to the"
            f" true one, {pooled.mean('relative_sparsity_at', name, threshold=nearest)} times as many. With the threshold"
            f" from validation episodes, F1 is {pooled.mean('zero_f1', name)}."
        )
    sparsity = pooled.scores.true_sparsity_of_seed.max("model").transpose(*PAIR).values  # NaN for controls
    yield f"Calling every entry zero has an F1 of {pooled.summary(2 * sparsity / (1 + sparsity), np.nanmean)}."


def _errors(pooled: Pooled) -> Iterator[str]:
    if len(pooled.trained) < 3:
        yield f"Not tested: this takes three trained models, and this study has {len(pooled.trained)}."
        return
    yield "A negative correlation means that models with smaller errors recover the sparsity better."
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
        yield (f"Diverged (task, model/seed): {'; '.join(diverged)}. All tables include them, with their best weights.")


def _choices(pooled: Pooled) -> Iterator[str]:
    settings, training = pooled.settings, pooled.settings.training
    early_stopping = f"stopped after {training.patience} epochs without a lower validation loss"
    stopped = early_stopping if training.patience else "not stopped early"
    sources = ", ".join(f"{task} {policy.replace('_', ' and ')}" for task, policy in pooled.policies.items())
    yield f"Learnt from the episodes of: {sources}."
    yield (
        f"Predicted: the {settings.target.replace('_', ' ')}. Optimiser: Adam, rate {training.learning_rate:g} falling to"
        f" 0 along a cosine, batches of {training.batch}, {training.epochs} epochs or at most {training.seconds:g} s,"
        f" {stopped}; weights of the epoch with the lowest validation loss."
        f" Split: {settings.validation:.0%} of the episodes for validation, {settings.test:.0%} for tests. Training seeds:"
        f" {', '.join(map(str, settings.seeds))}. Zero: |x| < {settings.zero_threshold:g}."
    )
    for name, model in pooled.models.items():
        choices = [f"{model.network}, depth {model.depth}, width {model.width}"]
        if not model.trained:
            choices.append("untrained")
        if loss := model.jacobian_loss:
            columns = model.jacobian_columns
            drawn = f"{columns} random column{'s' if columns != 1 else ''} a sample" if columns else "all columns"
            errors = f", {model.jacobian_errors} errors" if loss != "l1" else ""
            choices.append(f"loss {loss} on the Jacobian with weight {model.jacobian_weight:g}{errors}, {drawn}")
        if pooled.has_masks(name):
            choices.append(f"weight {model.mask_weight:g} on open masks above a share of {model.mask_budget:g}")
        yield f"{name}: {', '.join(choices)}."


QUESTIONS: dict[str, Callable[[Pooled], Iterator[str]]] = {
    "Have the models learnt?": _learnt,
    "Does a plain MLP recover the sparsity?": _plain,
    "Do losses on the Jacobian help?": _losses,
    "Do masks recover the sparsity better?": _masks,
    "Is the sparsity recovered in contact and out of contact?": _conditions,
    "Are switches detected?": _switches,
    "Does the size of the MLP matter?": _sizes,
    "Does the threshold matter?": _thresholds,
    "Do models that predict better recover better?": _errors,
    "How did training end?": _ended,
    "What did we choose that the paper leaves open?": _choices,
}
"""The questions of the table, each with a function that yields the sentences of its answer."""
