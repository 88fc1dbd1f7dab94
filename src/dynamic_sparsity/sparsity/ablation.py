"""The same recorded steps differentiated in several ways: how far their Jacobians and zeros are from the truth."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.ablation import CONVERGED_REFERENCE, REFERENCE, ROUGH, AblationSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity.resampling import with_intervals
from dynamic_sparsity.sparsity.zeros import finite_mask, zero_mask
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME, labels

DEFAULT = "exact"
"""The reference for patterns at thresholds below the rounding error of differences."""
PAIR, WAY = "pair", "way"
_ENTRIES = (OUT, IN)


def pairs_of(ways: Sequence[str]) -> list[tuple[str, str]]:
    """(way, reference): each way against central differences and against `exact`.

    What runs the solver to convergence is held against differences of that step as well.
    """
    others = [way for way in ways if way not in (REFERENCE, CONVERGED_REFERENCE)]
    pairs = [(way, REFERENCE) for way in others]
    pairs += [(way, CONVERGED_REFERENCE) for way in others if "-converged" in way]
    return pairs + [(way, DEFAULT) for way in others if DEFAULT in others and way != DEFAULT]


def compare(jacobians: Sequence[xr.Dataset], settings: AblationSettings, resampling: ResamplingSettings) -> xr.Dataset:
    """Means over episodes, with intervals from resampling episodes within seeds.

    `jacobians`: one store of the stage `ablation_jacobians` per seed. Dims `pair` (coords `way`, `reference`) and
    `threshold`. A step is rough where the reference's differences of two widths are more than `ROUGH` apart; against
    `exact` none is. Of each episode, then over episodes, with `low` and `high` ends of intervals:

    - `rough`: share of rough steps; all that follows is of the others, with no entry that is not finite in either way;
    - `off_1`, `off_10`: share of steps whose largest |difference| is above 1 %, 10 % of the reference's largest |entry|;
    - `error_median`, `error_99`: median and 99th percentile over steps of that ratio;
    - `sparsity`, `reference_sparsity`: zeros / entries;
    - `disagreeing`: entries that are zero in one and not in the other / entries;
    - `same_pattern`: share of steps with exactly the same zeros;
    - `pattern_off_1`, `pattern_off_10`: share of steps in which more than 1 %, 10 % of the entries disagree;
    - `pattern_median`: median over steps of the share of entries that disagree;
    - `step_difference`: median distance of the next state that the way computes from the recorded one.

    `nonfinite` is the share of steps with an entry that is not finite in either way. `roughness`, `constrained` and
    `unconverged` (dim `sample`) are of every step: how far the two widths of `differences` are apart, whether a
    constraint was active, whether the solver stopped before it had converged.
    """
    pairs = pairs_of([str(way) for way in jacobians[0][WAY].values])
    seeds, samples = zip(*(_of_seed(data, pairs, settings.thresholds) for data in jacobians), strict=True)
    ways, references = zip(*pairs, strict=True)
    sample = xr.concat(samples, dim="sample", coords="minimal")
    return (
        with_intervals(seeds, resampling)
        .merge(sample)
        .assign(steps=((), np.int64(sample.sizes["sample"])))
        .assign_coords(way=(PAIR, labels(ways)), reference=(PAIR, labels(references)))
    )


def _of_seed(
    jacobians: xr.Dataset, pairs: Sequence[tuple[str, str]], thresholds: Sequence[float]
) -> tuple[xr.Dataset, xr.Dataset]:
    """The measures of every episode and pair, and those of every step; one episode is in memory at a time."""
    episodes, samples = [], []
    for episode in episodes_of(jacobians):
        measures = [_of_episode(episode.sel(way=way), episode.sel(way=other), thresholds) for way, other in pairs]
        episodes.append(xr.concat(measures, dim=PAIR))
        sample = {
            "roughness": episode.roughness.sel(way=REFERENCE, drop=True),
            "constrained": episode.constraint_active.any(CONSTRAINT),
            "unconverged": ~episode.solver_converged,
        }
        samples.append(xr.Dataset(sample).drop_vars(EPISODE, errors="ignore").rename({TIME: "sample"}))
    return xr.concat(episodes, dim=EPISODE), xr.concat(samples, dim="sample", coords="minimal")


def _of_episode(way: xr.Dataset, reference: xr.Dataset, thresholds: Sequence[float]) -> xr.Dataset:
    """The measures of one way beside one reference in one episode."""
    a, b = (data.jacobian.drop_vars(WAY).drop_attrs(deep=False) for data in (way, reference))
    finite = (finite_mask(a) & finite_mask(b)).all(_ENTRIES)
    known = reference.roughness.notnull().drop_vars(WAY)
    rough = known & (reference.roughness.drop_vars(WAY) > ROUGH)
    smooth = finite & ~rough
    largest = abs(b).max(_ENTRIES)
    error = (abs(a - b).max(_ENTRIES) / largest.where(largest > 0)).where(smooth)
    measures = {
        "rough": rough.where(known).mean(TIME),
        "off_1": _share(error > 0.01, smooth),
        "off_10": _share(error > 0.1, smooth),
        "error_median": _quantile(error, 0.5),
        "error_99": _quantile(error, 0.99),
        "step_difference": way.step_difference.drop_vars(WAY).median(TIME),
        "nonfinite": 1 - finite.mean(TIME),
    }
    by_threshold = [_zeros(a, b, smooth, threshold) for threshold in thresholds]
    swept = xr.concat(by_threshold, dim=xr.DataArray(list(thresholds), dims="threshold", name="threshold"))
    return swept.assign(measures)


def _zeros(a: xr.DataArray, b: xr.DataArray, steps: xr.DataArray, threshold: float) -> xr.Dataset:
    """How the zeros of two Jacobians agree in the given steps."""
    zero, other = zero_mask(a, threshold), zero_mask(b, threshold)
    apart = (zero != other).mean(_ENTRIES)
    return xr.Dataset(
        {
            "sparsity": zero.mean(_ENTRIES).where(steps).mean(TIME),
            "reference_sparsity": other.mean(_ENTRIES).where(steps).mean(TIME),
            "disagreeing": apart.where(steps).mean(TIME),
            "same_pattern": _share(apart == 0, steps),
            "pattern_off_1": _share(apart > 0.01, steps),
            "pattern_off_10": _share(apart > 0.1, steps),
            "pattern_median": _quantile(apart.where(steps), 0.5),
        }
    )


def _share(part: xr.DataArray, steps: xr.DataArray) -> xr.DataArray:
    """Of the steps, those in `part`; NaN where there are none."""
    return part.where(steps).mean(TIME)


def _quantile(error: xr.DataArray, share: float) -> xr.DataArray:
    """Over the steps that have an error; NaN where none has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return error.quantile(share, TIME).drop_vars("quantile")
