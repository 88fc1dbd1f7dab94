"""How well magnitudes recover the zeros of one episode: all scores, by basis, condition and margin."""

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
"""Magnitudes that are scored: entries of the Jacobian times scale of input / of output, as they are, and masks."""


def score_episode(
    magnitudes: Mapping[str, np.ndarray], thresholds: Mapping[str, float], episode: Episode, margins: Sequence[int]
) -> xr.Dataset:
    """All scores of recovery in one episode, over `basis`, `condition`, `margin`; NaN for a basis missing or not finite.

    `thresholds`: from validation data, below which an entry of each basis counts as zero.
    """
    bases = []
    for basis in BASES:
        if basis not in magnitudes or not np.isfinite(magnitudes[basis]).all():
            bases.append(_nothing(margins))
            continue
        magnitude, threshold = magnitudes[basis], thresholds[basis]
        by_condition = _by_condition(magnitude, episode, threshold)
        patterns = at_most(magnitude, threshold), episode.zero
        ours, theirs = (scores.switches(pattern, episode.known) for pattern in patterns)
        detected = [scores.switch_detection(ours, theirs, margin) for margin in margins]
        distance = scores.duration_distance(*(_durations(pattern, episode.known) for pattern in patterns))
        bases.append(_dataset(by_condition, detected, distance, margins))
    return xr.concat(bases, dim="basis").assign_coords(basis=labels(BASES))


def _by_condition(magnitude: np.ndarray, episode: Episode, threshold: float) -> list[dict[str, float]]:
    """Scores of the steps of each condition. Magnitudes are sorted once for all: sorting takes most of the time."""
    zero, entries = episode.zero, episode.zero[0].size
    by_step = scores.aurocs_of_steps(magnitude, zero)
    pooled = np.argsort(magnitude, axis=None)
    of_step = pooled // entries
    flat, flat_zero = magnitude.ravel()[pooled], zero.ravel()[pooled]
    order = np.argsort(magnitude.reshape(len(zero), entries), axis=0)
    entry, entry_zero = (np.take_along_axis(array.reshape(len(zero), entries), order, axis=0) for array in (magnitude, zero))
    found = []
    for condition, here in episode.conditions.items():
        if not here.any():
            found.append(dict.fromkeys(_NAMES, np.nan))
            continue
        shape = (entries, int(here.sum()), 1)
        by_entry = [array.T[here[order].T].reshape(shape).swapaxes(0, 1) for array in (entry, entry_zero)]
        chosen = here[of_step]
        together, of_entries = scores.auroc(flat[chosen], flat_zero[chosen]), scores.auroc_by_entry(*by_entry)
        values = (
            together,
            scores.mean_of_known(by_step[here]),
            of_entries,
            scores.average_precision(flat[chosen], flat_zero[chosen]),
            scores.skill(together, episode.oracle[condition]),
            2 * of_entries - 1,
            scores.zero_f1(magnitude[here], zero[here], threshold),
            scores.leakage(magnitude[here], zero[here]),
        )
        found.append(dict(zip(_NAMES, values, strict=True)))
    return found


_NAMES = (
    *("auroc", "auroc_by_step", "auroc_by_entry", "average_precision"),
    *("skill", "skill_by_entry", "zero_f1", "leakage"),
)


def _durations(zero: Bool[np.ndarray, "step out_dim in_dim"], known: Bool[np.ndarray, " step"]) -> np.ndarray:
    """Lengths of all runs of zeros and of non-zeros of all entries; steps that are not known are in none."""
    value = np.where(known[:, None], zero.reshape(len(zero), -1), -1).T
    edges = [np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1, [len(row)]]) for row in value]
    return np.concatenate([np.diff(edge)[row[edge[:-1]] >= 0] for edge, row in zip(edges, value, strict=True)])


def _dataset(
    by_condition: list[dict[str, float]], detected: list[tuple[float, float]], distance: float, margins: Sequence[int]
) -> xr.Dataset:
    named = {name: ("condition", [scored[name] for scored in by_condition]) for name in _NAMES}
    switching = {
        f"switch_{name}": ("margin", [pair[number] for pair in detected])
        for number, name in enumerate(("precision", "recall"))
    }
    return xr.Dataset(
        {**named, **switching, "duration_distance": ((), distance)},
        coords={"condition": labels(CONDITIONS), "margin": list(margins)},
    )


def _nothing(margins: Sequence[int]) -> xr.Dataset:
    return _dataset([dict.fromkeys(_NAMES, np.nan)] * len(CONDITIONS), [(np.nan, np.nan)] * len(margins), np.nan, margins)
