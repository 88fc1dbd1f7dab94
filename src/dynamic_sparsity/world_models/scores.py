"""Scores of how well a model recovers which entries of the Jacobian are zero, and when.

A model assigns a magnitude to every entry of every step, from its Jacobian or its masks; the truth says which entries
are zero. Arrays are [step, out_dim, in_dim]. The positive class is the non-zero entry unless a docstring says
otherwise. Scores that pool all entries accept arrays of any shape and order, and are faster if the magnitudes are
sorted.
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
    """Probability that a random non-zero entry has a larger magnitude than a random zero entry; ties count half.

    All steps and entries are pooled. NaN if all entries are zero or none is.
    """
    return float(_aurocs(magnitude.reshape(1, -1), zero.reshape(1, -1))[0])


def auroc_by_step(magnitude: Magnitudes, zero: Zeros) -> float:
    """Mean of `aurocs_of_steps` over the steps that have both zero and non-zero entries."""
    return mean_of_known(aurocs_of_steps(magnitude, zero))


def aurocs_of_steps(magnitude: Magnitudes, zero: Zeros) -> Float[np.ndarray, " step"]:
    """AUROC among the entries of each step; NaN for a step whose entries are all zero or all non-zero."""
    return _aurocs(magnitude.reshape(len(zero), -1), zero.reshape(len(zero), -1))


def auroc_by_entry(magnitude: Magnitudes, zero: Zeros) -> float:
    """AUROC of each entry over the steps, averaged over the entries that are zero at some steps and non-zero at others.

    It is 0.5 for magnitudes that do not depend on the state.
    """
    return mean_of_known(_aurocs(magnitude.reshape(len(zero), -1).T, zero.reshape(len(zero), -1).T))


def mean_of_known(values: Float[np.ndarray, " group"]) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    return np.nan if np.isnan(values).all() else float(np.nanmean(values))


def average_precision(magnitude: Float[np.ndarray, "..."], zero: Bool[np.ndarray, "..."]) -> float:
    """Average precision of detecting non-zero entries (scikit-learn's), over all steps and entries.

    NaN if all entries are zero or none is.
    """
    if zero.all() or not zero.any():
        return np.nan
    return float(metrics.average_precision_score(~zero.ravel(), magnitude.ravel()))


def static_oracle(zero: Zeros, known: Bool[np.ndarray, " step"]) -> Magnitudes:
    """Share of the known steps at which each entry is non-zero, repeated for every step.

    It is all that can be known about the zeros without the state.
    """
    return np.broadcast_to((~zero[known]).sum(axis=0) / max(1, known.sum()), zero.shape)


def skill(score: float, reference: float) -> float:
    """Skill of an AUROC `score` relative to that of a reference: 1 if perfect, 0 if equal, -1 at chance (0.5) or worse.

    Above the reference, skill = (score - reference) / (1 - reference); below it, (score - reference) / (reference -
    0.5), at least -1, so that the scale does not depend on how good the reference is. NaN if either AUROC is NaN, or if
    the reference exceeds 0.999, which leaves no room for skill.
    """
    if np.isnan([score, reference]).any() or reference > 0.999:
        return np.nan
    if score >= reference:
        return (score - reference) / (1 - reference)
    return max(-1.0, (score - reference) / (reference - 0.5)) if reference > 0.5 else -1.0


def zero_f1(magnitude: Magnitudes, zero: Zeros, threshold: float) -> float:
    """F1 of detecting zeros as magnitudes of at most `threshold`; NaN if no entry is truly zero.

    It is computed from counts because scikit-learn's `f1_score` first searches millions of entries for their labels,
    which would take more time than all other scores together.
    """
    if not zero.any():
        return np.nan
    return _f1(at_most(magnitude, threshold), zero)


def zeros_by_threshold(
    magnitude: Float[np.ndarray, "..."], zero: Bool[np.ndarray, "..."], thresholds: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Entries below each threshold over the number of true zeros, and F1 of detecting zeros so; NaN without zeros."""
    if not zero.any():
        return np.full(len(thresholds), np.nan), np.full(len(thresholds), np.nan)
    detected = [below(magnitude, threshold) for threshold in thresholds]
    return np.array([mask.sum() for mask in detected]) / zero.sum(), np.array([_f1(mask, zero) for mask in detected])


def _f1(detected: Bool[np.ndarray, "..."], zero: Bool[np.ndarray, "..."]) -> float:
    return float(2 * (detected & zero).sum() / (detected.sum() + zero.sum()))


def leakage(magnitude: Magnitudes, zero: Zeros) -> float:
    """Share of the total magnitude that lies on true zeros: 0 is perfect, the share of zeros is chance.

    NaN if the total is 0.
    """
    total = magnitude.sum()
    return np.nan if total == 0 else float(magnitude[zero].sum() / total)


def relative_error(jacobian: Magnitudes, truth: Magnitudes) -> float:
    """Mean of |J - truth| / |truth| (Frobenius norm) over steps whose truth is not 0; 1 for a Jacobian of zeros."""
    errors = np.linalg.norm((jacobian - truth).reshape(len(truth), -1), axis=1)
    sizes = np.linalg.norm(truth.reshape(len(truth), -1), axis=1)
    return float((errors[sizes > 0] / sizes[sizes > 0]).mean()) if (sizes > 0).any() else np.nan


def switches(zero: Zeros, known: Bool[np.ndarray, " step"]) -> Bool[np.ndarray, " step"]:
    """Steps of one episode whose pattern differs from that of the step before; False at step 0 and by unknown steps."""
    changed = (zero[1:] != zero[:-1]).any(axis=(1, 2))
    return np.concatenate([[False], changed & known[1:] & known[:-1]])


def switch_detection(
    detected: Bool[np.ndarray, " step"], true: Bool[np.ndarray, " step"], margin: int
) -> tuple[float, float]:
    """Precision and recall of detected switches, matched one to one with true switches at most `margin` steps away.

    The matching is the one with the most pairs. Precision is NaN if no switch was detected, recall if no true switch
    exists.
    """
    detected_steps, true_steps = np.flatnonzero(detected), np.flatnonzero(true)
    if not len(detected_steps) or not len(true_steps):
        return (0.0 if len(detected_steps) else np.nan), (0.0 if len(true_steps) else np.nan)
    close = np.abs(detected_steps[:, None] - true_steps) <= margin
    rows, columns = scipy.optimize.linear_sum_assignment(close, maximize=True)
    matched = close[rows, columns].sum()
    return float(matched / len(detected_steps)), float(matched / len(true_steps))


def duration_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Wasserstein distance between two samples of durations, in steps; NaN if one is empty."""
    return float(scipy.stats.wasserstein_distance(first, second)) if len(first) and len(second) else np.nan


def _aurocs(magnitude: Float[np.ndarray, "group member"], zero: Bool[np.ndarray, "group member"]) -> np.ndarray:
    """AUROC of each group, from ranks (Mann and Whitney); NaN for a group that is all zero or all non-zero.

    `scipy.stats.mannwhitneyu` is not used because it cannot take samples of different sizes along an axis.
    """
    zeros = zero.sum(axis=1)
    nonzeros = zero.shape[1] - zeros
    mixed = (zeros > 0) & (nonzeros > 0)
    aurocs = np.full(len(zero), np.nan)
    if mixed.any():
        rank_sums = np.where(zero[mixed], 0, scipy.stats.rankdata(magnitude[mixed], axis=1)).sum(axis=1)
        aurocs[mixed] = (rank_sums - nonzeros[mixed] * (nonzeros[mixed] + 1) / 2) / (zeros[mixed] * nonzeros[mixed])
    return aurocs
