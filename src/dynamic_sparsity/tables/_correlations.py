"""Rank correlations between measures of world models, within each task, and the sentences that report them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from dynamic_sparsity.tables._pooled import Pooled
from dynamic_sparsity.tables.model_comparisons import direction, holm, signed_rank, verdict


def by_model(pooled: Pooled, measure: str, models: Sequence[str], **selection: Any) -> np.ndarray:
    """Means of a measure over training seeds, [task, model]."""
    means = [pooled.measured(measure, name, **selection).mean("training_seed").values for name in models]
    return np.stack(means, axis=1)


def rank_correlations(pooled: Pooled, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
    """A sentence for each pair of measures: their rank correlation over models within each task, and a test of it.

    `pairs` maps the name of a pair to its two measures, [task, model]; the first may also be [model], the same for all
    tasks.
    """
    correlations = {
        name: np.array([_spearman(*rows) for rows in zip(np.broadcast_to(first, second.shape), second, strict=True)])
        for name, (first, second) in pairs.items()
    }
    known = [of_tasks[np.isfinite(of_tasks)] for of_tasks in correlations.values()]
    p_values = holm(np.array([signed_rank(of_tasks) for of_tasks in known]))
    for (name, of_tasks), of_known_tasks, p_value in zip(correlations.items(), known, p_values, strict=True):
        subject = f"Rank correlation of {name} over the models of a task"
        count = len(of_known_tasks)
        if not count:
            yield f"{subject}: unknown, because one of the two is missing or does not vary."
            continue
        in_words = _IN_WORDS[verdict(direction(of_known_tasks), p_value, count, len(known))]
        tasks = f"{count} task{'s' if count > 1 else ''}"
        yield f"{subject}: {pooled.summary(of_tasks, np.nanmean)}, {in_words} ({tasks}, corrected p = {p_value:.2g})."


_IN_WORDS = {
    "higher": "significantly positive",
    "lower": "significantly negative",
    "no significant difference": "no significant correlation",
    "too few pairs": "too few tasks to tell",
}


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; NaN with fewer than three pairs or if one of the two does not vary."""
    known = ~(np.isnan(first) | np.isnan(second))
    if known.sum() < 3 or min(len(set(first[known])), len(set(second[known]))) == 1:
        return np.nan
    return float(scipy.stats.spearmanr(first[known], second[known]).statistic)
