"""Whether a model recovers which entries of the Jacobian are zero, and when.

A model gives every entry of every step a magnitude (of its Jacobian, or of its masks); the truth says which entries are
zero. All arrays are [step, out_dim, in_dim]; what is detected is the non-zero entry, unless said otherwise. Scores over all
entries take them in any shape and order; they are faster on sorted magnitudes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.stats
from jaxtyping import Bool, Float
from sklearn import metrics

from dynamic_sparsity.definitions.zero import at_most, below

Magnitudes = Float[np.ndarray, "step out_dim in_dim"]
Zeros = Bool[np.ndarray, "step out_dim in_dim"]


def auroc(magnitude: Float[np.ndarray, "..."], zero: Bool[np.ndarray, "..."]) -> float:
    """Chance that a non-zero entry has the larger magnitude than a zero one, over all steps and entries; ties count half.

    NaN where there are entries of one kind only.
    """
    return float(_aurocs(magnitude.reshape(1, -1), zero.reshape(1, -1))[0])


def auroc_by_step(magnitude: Magnitudes, zero: Zeros) -> float:
    """The same among the entries of one step, mean over the steps that have both kinds."""
    return mean_of_known(aurocs_of_steps(magnitude, zero))


def aurocs_of_steps(magnitude: Magnitudes, zero: Zeros) -> Float[np.ndarray, " step"]:
    """The same for every step; NaN for one with entries of one kind only."""
    return _aurocs(magnitude.reshape(len(zero), -1), zero.reshape(len(zero), -1))


def auroc_by_entry(magnitude: Magnitudes, zero: Zeros) -> float:
    """The same over the steps of one entry, mean over the entries that are both: 0.5 for what knows nothing of the state."""
    return mean_of_known(_aurocs(magnitude.reshape(len(zero), -1).T, zero.reshape(len(zero), -1).T))


def mean_of_known(values: Float[np.ndarray, " group"]) -> float:
    """Mean of what is not NaN; NaN without any."""
    return np.nan if np.isnan(values).all() else float(np.nanmean(values))


def average_precision(magnitude: Float[np.ndarray, "..."], zero: Bool[np.ndarray, "..."]) -> float:
    """Mean precision over recall of non-zero entries, over all steps and entries; NaN without both kinds."""
    if zero.all() or not zero.any():
        return np.nan
    return float(metrics.average_precision_score(~zero.ravel(), magnitude.ravel()))


def static_oracle(zero: Zeros, known: Bool[np.ndarray, " step"]) -> Magnitudes:
    """How often each entry is non-zero in the known steps, for every step: all that can be known without the state."""
    return np.broadcast_to((~zero[known]).sum(axis=0) / max(1, known.sum()), zero.shape)


def skill(score: float, reference: float) -> float:
    """How far from the reference's score towards a perfect one: 1 perfect, 0 like the reference, -1 chance (0.5) or worse.

    Below the reference it is how far towards chance, so that the scale is the same however good the reference is. NaN for a
    reference above 0.999, which leaves nothing to be skilled in.
    """
    if np.isnan([score, reference]).any() or reference > 0.999:
        return np.nan
    if score >= reference:
        return (score - reference) / (1 - reference)
    return max(-1.0, (score - reference) / (reference - 0.5)) if reference > 0.5 else -1.0


def zero_f1(magnitude: Magnitudes, zero: Zeros, threshold: float) -> float:
    """F1 of detecting zeros as magnitudes of at most `threshold`; NaN without a zero.

    From counts: scikit-learn's looks for labels among millions of entries first, and takes most of the time of all scores.
    """
    if not zero.any():
        return np.nan
    return _f1(at_most(magnitude, threshold), zero)


def zeros_by_threshold(
    magnitude: Float[np.ndarray, "..."], zero: Bool[np.ndarray, "..."], thresholds: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """(share of entries below each threshold over the share of true zeros, F1 of detecting zeros so); NaN without a zero."""
    if not zero.any():
        return np.full(len(thresholds), np.nan), np.full(len(thresholds), np.nan)
    small = [below(magnitude, threshold) for threshold in thresholds]
    return np.array([part.sum() for part in small]) / zero.sum(), np.array([_f1(part, zero) for part in small])


def _f1(found: Bool[np.ndarray, "..."], zero: Bool[np.ndarray, "..."]) -> float:
    return float(2 * (found & zero).sum() / (found.sum() + zero.sum()))


def leakage(magnitude: Magnitudes, zero: Zeros) -> float:
    """Share of the whole magnitude that lies on true zeros; 0 is perfect, the share of zeros is chance."""
    total = magnitude.sum()
    return np.nan if total == 0 else float(magnitude[zero].sum() / total)


def relative_error(jacobian: Magnitudes, truth: Magnitudes) -> float:
    """|J - truth| / |truth| in the Frobenius norm of a step, mean over steps; 1 for a model that predicts nothing."""
    errors = np.linalg.norm((jacobian - truth).reshape(len(truth), -1), axis=1)
    sizes = np.linalg.norm(truth.reshape(len(truth), -1), axis=1)
    return float((errors[sizes > 0] / sizes[sizes > 0]).mean()) if (sizes > 0).any() else np.nan


def switches(zero: Zeros, known: Bool[np.ndarray, " step"]) -> Bool[np.ndarray, " step"]:
    """Steps of one episode whose pattern differs from that of the step before, both known; False for the first."""
    changed = (zero[1:] != zero[:-1]).any(axis=(1, 2))
    return np.concatenate([[False], changed & known[1:] & known[:-1]])


def switch_detection(found: Bool[np.ndarray, " step"], true: Bool[np.ndarray, " step"], margin: int) -> tuple[float, float]:
    """(precision, recall) of switches found within `margin` steps of a true one, each matched at most once.

    The matching is the largest there is. NaN where nothing was found, or nothing is there.
    """
    ours, theirs = np.flatnonzero(found), np.flatnonzero(true)
    if not len(ours) or not len(theirs):
        return (0.0 if len(ours) else np.nan), (0.0 if len(theirs) else np.nan)
    close = np.abs(ours[:, None] - theirs) <= margin
    rows, columns = scipy.optimize.linear_sum_assignment(close, maximize=True)
    matched = close[rows, columns].sum()
    return float(matched / len(ours)), float(matched / len(theirs))


def duration_distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Wasserstein distance between two sets of durations, in steps; NaN where one is empty."""
    return float(scipy.stats.wasserstein_distance(ours, theirs)) if len(ours) and len(theirs) else np.nan


def _aurocs(magnitude: Float[np.ndarray, "group member"], zero: Bool[np.ndarray, "group member"]) -> np.ndarray:
    """Of every group, by ranks (Mann and Whitney); scipy's own test has no axis for groups of different sizes."""
    zeros = zero.sum(axis=1)
    others = zero.shape[1] - zeros
    both = (zeros > 0) & (others > 0)
    found = np.full(len(zero), np.nan)
    if both.any():
        ranks = np.where(zero[both], 0, scipy.stats.rankdata(magnitude[both], axis=1)).sum(axis=1)
        found[both] = (ranks - others[both] * (others[both] + 1) / 2) / (zeros[both] * others[both])
    return found
