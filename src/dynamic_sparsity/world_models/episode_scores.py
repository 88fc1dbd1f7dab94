"""Scores of one episode, by basis, condition and margin: how well magnitudes recover its zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Bool

from dynamic_sparsity.definitions.zero import at_most
from dynamic_sparsity.stores.schema import labels
from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.episodes import CONDITIONS, Episode

BASES = ("scaled", "raw", "mask")
"""Magnitudes that are scored: entries of the Jacobian times the scale of their input over that of their output, entries
as they are, and masks."""


def score_episode(
    magnitudes: Mapping[str, np.ndarray], thresholds: Mapping[str, float], episode: Episode, margins: Sequence[int]
) -> xr.Dataset:
    """All recovery scores of one episode, over `basis`, `condition` and `margin`.

    An entry counts as zero if its magnitude is at most the threshold of its basis; `thresholds` come from validation
    episodes. Scores are NaN for a basis that is missing or has a magnitude that is not finite.
    """
    bases = []
    for basis in BASES:
        if basis not in magnitudes or not np.isfinite(magnitudes[basis]).all():
            bases.append(_unknown(margins))
            continue
        magnitude, threshold = magnitudes[basis], thresholds[basis]
        by_condition = _by_condition(magnitude, episode, threshold)
        patterns = at_most(magnitude, threshold), episode.zero
        switches, true_switches = (scores.switches(pattern, episode.known) for pattern in patterns)
        detected = [scores.switch_detection(switches, true_switches, margin) for margin in margins]
        distance = scores.duration_distance(*(_durations(pattern, episode.known) for pattern in patterns))
        bases.append(_dataset(by_condition, detected, distance, margins))
    return xr.concat(bases, dim="basis").assign_coords(basis=labels(BASES))


def _by_condition(magnitude: np.ndarray, episode: Episode, threshold: float) -> list[dict[str, float]]:
    """Scores within the steps of each condition.

    Magnitudes are sorted once for all conditions because sorting takes most of the time.
    """
    zero, entries = episode.zero, episode.zero[0].size
    by_step = scores.aurocs_of_steps(magnitude, zero)
    pooled = np.argsort(magnitude, axis=None)
    step_of_pooled = pooled // entries
    flat, flat_zero = magnitude.ravel()[pooled], zero.ravel()[pooled]
    order = np.argsort(magnitude.reshape(len(zero), entries), axis=0)
    sorted_by_entry = [np.take_along_axis(array.reshape(len(zero), entries), order, axis=0) for array in (magnitude, zero)]
    of_conditions = []
    for condition, steps in episode.conditions.items():
        if not steps.any():
            of_conditions.append(dict.fromkeys(_NAMES, np.nan))
            continue
        shape = (entries, int(steps.sum()), 1)
        by_entry = [array.T[steps[order].T].reshape(shape).swapaxes(0, 1) for array in sorted_by_entry]
        selected = steps[step_of_pooled]
        auroc, auroc_by_entry = scores.auroc(flat[selected], flat_zero[selected]), scores.auroc_by_entry(*by_entry)
        values = (
            auroc,
            scores.mean_of_known(by_step[steps]),
            auroc_by_entry,
            scores.average_precision(flat[selected], flat_zero[selected]),
            scores.skill(auroc, episode.oracle[condition]),
            2 * auroc_by_entry - 1,
            scores.zero_f1(magnitude[steps], zero[steps], threshold),
            scores.leakage(magnitude[steps], zero[steps]),
        )
        of_conditions.append(dict(zip(_NAMES, values, strict=True)))
    return of_conditions


_NAMES = (
    *("auroc", "auroc_by_step", "auroc_by_entry", "average_precision"),
    *("skill", "skill_by_entry", "zero_f1", "leakage"),
)


def _durations(zero: Bool[np.ndarray, "step out_dim in_dim"], known: Bool[np.ndarray, " step"]) -> np.ndarray:
    """Lengths in steps of all runs of all entries, zero and non-zero; unknown steps end a run and belong to none."""
    value = np.where(known[:, None], zero.reshape(len(zero), -1), -1).T
    edges = [np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1, [len(row)]]) for row in value]
    return np.concatenate([np.diff(edge)[row[edge[:-1]] >= 0] for edge, row in zip(edges, value, strict=True)])


def _dataset(
    by_condition: list[dict[str, float]], detected: list[tuple[float, float]], distance: float, margins: Sequence[int]
) -> xr.Dataset:
    """The scores of one basis; `detected`: (precision, recall) by margin; `distance`: of durations."""
    conditional = {name: ("condition", [scored[name] for scored in by_condition]) for name in _NAMES}
    switching = {
        f"switch_{name}": ("margin", [pair[number] for pair in detected])
        for number, name in enumerate(("precision", "recall"))
    }
    return xr.Dataset(
        {**conditional, **switching, "duration_distance": ((), distance)},
        coords={"condition": labels(CONDITIONS), "margin": list(margins)},
    )


def _unknown(margins: Sequence[int]) -> xr.Dataset:
    """Scores that are all NaN."""
    return _dataset([dict.fromkeys(_NAMES, np.nan)] * len(CONDITIONS), [(np.nan, np.nan)] * len(margins), np.nan, margins)
