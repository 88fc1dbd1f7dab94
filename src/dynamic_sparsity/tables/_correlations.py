"""Rank correlations between measures of world models, within each task, and the sentences that report them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from dynamic_sparsity.tables._pooled import Pooled
from dynamic_sparsity.tables.model_comparisons import direction, holm, signed_rank, verdict


def by_model(pooled: Pooled, measure: str, models: Sequence[str], **where: Any) -> np.ndarray:
    """Means over training seeds, [task, model]."""
    return np.stack([pooled.of(measure, name, **where).mean("training_seed").values for name in models], axis=1)


def rank_correlations(pooled: Pooled, asked: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
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
