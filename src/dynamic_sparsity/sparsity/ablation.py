"""The same recorded steps differentiated in several ways: how far their Jacobians and zeros are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings import AblationSettings, ResamplingSettings
from dynamic_sparsity.sparsity.resampling import with_intervals
from dynamic_sparsity.stores import EPISODE, episodes_of, labels

REFERENCE, CONVERGED_REFERENCE = "unrolled", "unrolled-converged"
PAIR = "pair"


def pairs_of(variants: Sequence[str]) -> list[tuple[str, str]]:
    """(way, reference): each way against `unrolled`, and what runs the solver to convergence against that of `unrolled`."""
    ways = [way for way in variants if way != REFERENCE]
    converged = [way for way in ways if "-converged" in way and way != CONVERGED_REFERENCE]
    same_solver = converged if CONVERGED_REFERENCE in variants else []
    return [(way, REFERENCE) for way in ways] + [(way, CONVERGED_REFERENCE) for way in same_solver]


def compare(
    jacobians: Mapping[str, Sequence[xr.Dataset]], settings: AblationSettings, resampling: ResamplingSettings
) -> xr.Dataset:
    """Means over episodes, with intervals from resampling episodes within seeds.

    `jacobians`: for each way to differentiate (`JacobianSettings.variant`) its stores, one per seed, of the same rollouts.
    Dims `pair` (coords `way`, `reference`) and `threshold`. Of each episode, then over episodes:

    - `error_median`, `error_99`: median and 99th percentile over steps of the largest |difference| of a step over the
      largest |entry| of the reference in that step;
    - `sparsity`, `reference_sparsity`: zeros / entries;
    - `disagreeing`: share of entries that are zero in one and not in the other;
    - `same_pattern`: share of steps with exactly the same zeros, among those with no entry that is not finite;
    - `step_difference`: median distance of the next state that the way computes from the recorded one.

    Entries that are not finite in either way count in nothing but `nonfinite`, their share.
    """
    pairs = pairs_of(list(jacobians))
    seeds = [
        _of_seed(dict(zip(jacobians, stores, strict=True)), pairs, settings.thresholds)
        for stores in zip(*jacobians.values(), strict=True)
    ]
    ways, references = zip(*pairs, strict=True)
    steps = sum(int(seed.length.sum()) for seed in jacobians[REFERENCE])
    return (
        with_intervals(seeds, resampling)
        .assign(steps=((), np.int64(steps)))
        .assign_coords(way=(PAIR, labels(ways)), reference=(PAIR, labels(references)))
    )


def _of_seed(ways: Mapping[str, xr.Dataset], pairs: Sequence[tuple[str, str]], thresholds: Sequence[float]) -> xr.Dataset:
    """The measures of every episode and pair; an episode of all ways is in memory at a time."""
    episodes = []
    for several in zip(*map(episodes_of, ways.values()), strict=True):
        by_way = dict(zip(ways, several, strict=True))
        measures = [_of_episode(by_way[way], by_way[reference], thresholds) for way, reference in pairs]
        episodes.append(xr.concat(measures, dim=PAIR))
    return xr.concat(episodes, dim=EPISODE)


def _of_episode(ours: xr.Dataset, theirs: xr.Dataset, thresholds: Sequence[float]) -> xr.Dataset:
    a, b = ours.jacobian.values, theirs.jacobian.values
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(finite, np.abs(a), 0), np.where(finite, np.abs(b), 0)
    difference = np.where(finite, np.abs(ours.jacobian.values - theirs.jacobian.values), 0).max(axis=(1, 2))
    largest = b.max(axis=(1, 2))
    error = np.divide(difference, largest, out=np.full_like(difference, np.nan), where=largest > 0)
    whole_steps = finite.all(axis=(1, 2))
    rows = []
    for threshold in thresholds:
        zero, other = (a < threshold) & finite, (b < threshold) & finite
        apart = zero != other
        same = ~apart.any(axis=(1, 2))
        rows.append([*(_share(part, finite) for part in (zero, other, apart)), _share(same & whole_steps, whole_steps)])
    names = ("sparsity", "reference_sparsity", "disagreeing", "same_pattern")
    by_threshold = {name: ("threshold", values) for name, values in zip(names, np.array(rows).T, strict=True)}
    whole = {
        "error_median": np.nanmedian(error),
        "error_99": np.nanquantile(error, 0.99),
        "step_difference": np.nanmedian(ours.step_difference.values),
        "nonfinite": 1 - finite.mean(),
    }
    return xr.Dataset({**by_threshold, **whole}, coords={"threshold": list(thresholds)})


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else np.nan
