"""Findings on world models: whether they recover the sparsity, and what a loss or a better prediction buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from dynamic_sparsity.definitions import learnt
from dynamic_sparsity.tables._correlations import by_model, rank_correlations
from dynamic_sparsity.tables._finding import NO, NOT_SHOWN, YES, Finding, answer_of, by_task, count_of, interval, not_tested
from dynamic_sparsity.tables._pooled import Pooled

_WITHOUT = "world_models.tasks is empty"


def recovered(stores: Sequence[xr.Dataset]) -> Finding:
    """The best trained model of each task, next to a predictor that does not know the state."""
    question = "Do world models recover which entries are zero?"
    recovery = _of_models(stores)
    if not recovery:
        return not_tested(question, _WITHOUT)
    scores = {data.attrs["task"]: _best(data) for data in recovery}
    holds = {
        task: None if best is None or np.isnan([best.low, best.static]).any() else best.low > best.static
        for task, best in scores.items()
    }
    answer = answer_of(holds.values())
    return Finding(
        question,
        answer,
        "No interval of a trained model's score is known."
        if answer == NOT_SHOWN
        else f"In {count_of(holds)} a trained model tells zero from non-zero entries better than a predictor that knows only"
        " how often each entry is zero.",
        by_task({task: _in_words(best) for task, best in scores.items()}),
        "The reference knows each entry's share of zeros in the test episodes, and nothing of the state (`static_oracle`)."
        " It holds in a task if the interval of the best model's AUROC, from resampling test episodes, lies above it."
        " AUROC: 0.5 by chance, 1 for the truth. Runs that predict no better than persistence do not count.",
        "Figure 8: models stay orders of magnitude below the true number of zeros at |x| < 1e-6 (table `recovery`).",
    )


def with_losses(stores: Sequence[xr.Dataset]) -> Finding:
    """Losses on the Jacobian, each next to the same model without it."""
    question = "Does a loss on the Jacobian help to recover it?"
    recovery = _of_models(stores)
    if not recovery:
        return not_tested(question, _WITHOUT)
    pooled = Pooled(recovery)
    twins = {name: pooled.twin(name) for name in pooled.trained if pooled.models[name].jacobian_loss}
    twins = {name: twin for name, twin in twins.items() if twin}
    if not twins:
        return not_tested(question, "no two of its models differ only in a loss on the Jacobian")
    gains = {name: pooled.measured("auroc", name) - pooled.measured("auroc", str(twin)) for name, twin in twins.items()}
    estimates = {name: pooled.estimate(gain.values, np.nanmedian) for name, gain in gains.items()}
    apart = {name: low > 0 for name, (_, low, _, _) in estimates.items() if low == low}
    best = max(estimates, key=lambda name: estimates[name][0])
    first, *rest = pooled.compared(
        {
            f"AUROC of {name} against {twin}": (pooled.measured("auroc", name), pooled.measured("auroc", str(twin)))
            for name, twin in twins.items()
        }
    )
    return Finding(
        question,
        answer_of(apart.values()),
        f"The loss that helps most, of {best}, changes the AUROC by {estimates[best][0]:+.2g} in the median"
        + ("." if apart else ", and too few tasks are modelled for an interval."),
        " ".join([first, *rest]),
        "The same model without the loss. It holds for a loss if the interval of its median gain, from resampling tasks,"
        " lies above 0. Tests: Wilcoxon's signed-rank test over pairs of the same task and training seed, corrected (Holm).",
        "Figure 8: losses on the Jacobian raise sparsity, and hardly change the prediction error.",
    )


def with_prediction(stores: Sequence[xr.Dataset]) -> Finding:
    """The rank correlation of prediction error and recovery over the models of a task."""
    question = "Do models that predict better recover it better?"
    recovery = _of_models(stores)
    if not recovery:
        return not_tested(question, _WITHOUT)
    pooled = Pooled(recovery)
    if len(pooled.trained) < 3:
        return not_tested(question, f"it takes three trained models, and this study has {len(pooled.trained)}")
    errors, aurocs = (by_model(pooled, measure, pooled.trained) for measure in ("one_step_error", "auroc"))
    (sentence,) = rank_correlations(pooled, {"the error of the next state and AUROC": (errors, aurocs)})
    shown = {"significantly negative": YES, "significantly positive": NO, "no significant correlation": NOT_SHOWN}
    answer = next((meaning for words, meaning in shown.items() if words in sentence), NOT_SHOWN)
    return Finding(
        question,
        answer,
        {
            YES: "Models with smaller errors recover the sparsity better.",
            NO: "Models with smaller errors recover the sparsity worse.",
        }.get(answer, "It is not shown that models with smaller errors recover the sparsity better."),
        sentence,
        "Rank correlation over the trained models of a task, tested over tasks with Wilcoxon's signed-rank test. Yes:"
        " significantly negative; no: significantly positive.",
        "Figure 8 shows both, and no correlation.",
    )


def _of_models(stores: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    return [data for data in stores if data.attrs["kind"] == "recovery"]


def best_model(data: xr.Dataset) -> str | None:
    """The model of a recovery store with the highest AUROC of those with a run that counts; None if there is none."""
    aurocs = learnt.of_runs(data, "auroc").sel(basis="scaled", condition="all").mean("training_seed")
    trained = [name for name in learnt.models(data) if _is_trained(data, name) and np.isfinite(aurocs.sel(model=name))]
    return max(trained, key=lambda name: float(aurocs.sel(model=name)), default=None)


def _is_trained(data: xr.Dataset, model: str) -> bool:
    return any(verdict in (learnt.TRAINED, learnt.LINEAR_IS_BETTER) for verdict in learnt.of_task(data, model).values())


class _Best(NamedTuple):
    """Scores of a task's best model, and of its references."""

    model: str
    auroc: float
    low: float
    high: float
    static: float
    over_persistence: float
    over_linear: float


def _best(data: xr.Dataset) -> _Best | None:
    """The scores of the best model; None if no run counts."""
    name = best_model(data)
    if name is None:
        return None
    scores = data.sel(basis="scaled", condition="all")
    best = scores.sel(model=name)
    return _Best(
        name,
        *(float(best[measure]) for measure in ("auroc", "auroc_low", "auroc_high")),
        static=float(scores.auroc.sel(model="static_oracle")),
        over_persistence=float(data.error_over_persistence.sel(model=name).median()),
        over_linear=float(data.error_over_linear.sel(model=name).median()),
    )


def _in_words(best: _Best | None) -> str:
    if best is None:
        return "no model has learnt to predict"
    return (
        f"{best.model} AUROC {best.auroc:.3g}{interval(best.low, best.high)}, reference {best.static:.3g}; error"
        f" {best.over_persistence:.2g} of persistence's and {best.over_linear:.2g} of a linear fit's"
    )
