"""Compares Jacobians of the same recorded steps from several ways of differentiating: errors and zeros that differ."""

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
"""Second reference: the rounding error of central differences hides zeros at thresholds below that error."""
PAIR, WAY = "pair", "way"
_ENTRIES = (OUT, IN)


def pairs_of(ways: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (way, reference): every way against central differences, and against `exact` where that is among them.

    Ways that run the solver to convergence are also compared with central differences of the converged step.
    """
    compared = [way for way in ways if way not in (REFERENCE, CONVERGED_REFERENCE)]
    pairs = [(way, REFERENCE) for way in compared]
    pairs += [(way, CONVERGED_REFERENCE) for way in compared if "-converged" in way]
    return pairs + [(way, DEFAULT) for way in compared if DEFAULT in compared and way != DEFAULT]


def compare(jacobians: Sequence[xr.Dataset], settings: AblationSettings, resampling: ResamplingSettings) -> xr.Dataset:
    """Compare every way of differentiating with its references (`pairs_of`).

    `jacobians`: one store of the stage `ablation_jacobians` per study seed. Returns dims `pair` (coords `way`,
    `reference`) and `threshold`. A step is rough where the reference's differences of two widths are more than `ROUGH`
    apart; no step is rough against `exact`. Each measure is computed per episode, then averaged over episodes; `_low`
    and `_high` are the ends of an interval from resampling episodes within seeds:

    - `rough`: share of rough steps. The measures below leave rough steps out, and steps with a non-finite entry;
    - `off_1`, `off_10`: share of steps whose largest |difference| is above 1 %, 10 % of the reference's largest
      |entry|;
    - `error_median`, `error_99`: median and 99th percentile over steps of that ratio;
    - `sparsity`, `reference_sparsity`: zeros / entries;
    - `disagreeing`: entries that are zero in one and not in the other / entries;
    - `same_pattern`: share of steps with exactly the same zeros;
    - `pattern_off_1`, `pattern_off_10`: share of steps in which more than 1 %, 10 % of the entries disagree;
    - `pattern_median`: median over steps of the share of entries that disagree.

    Two measures cover all steps: `step_difference`, the median distance between the next state that the way computes
    and the recorded one, and `nonfinite`, the share of steps with a non-finite entry in the way or in its reference.

    `roughness`, `constrained` and `unconverged` (dim `sample`) describe every step: how far apart the two widths of
    `differences` are, whether a constraint was active, whether the solver stopped before it had converged.
    """
    pairs = pairs_of([str(way) for way in jacobians[0][WAY].values])
    of_seeds = (_of_seed(seed_jacobians, pairs, settings.thresholds) for seed_jacobians in jacobians)
    seeds, samples = zip(*of_seeds, strict=True)
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
    """The measures per episode and pair, and those per step; holds one episode in memory at a time."""
    episodes, samples = [], []
    for episode in episodes_of(jacobians):
        measures = [_of_episode(episode.sel(way=way), episode.sel(way=reference), thresholds) for way, reference in pairs]
        episodes.append(xr.concat(measures, dim=PAIR))
        sample = {
            "roughness": episode.roughness.sel(way=REFERENCE, drop=True),
            "constrained": episode.constraint_active.any(CONSTRAINT),
            "unconverged": ~episode.solver_converged,
        }
        samples.append(xr.Dataset(sample).drop_vars(EPISODE, errors="ignore").rename({TIME: "sample"}))
    return xr.concat(episodes, dim=EPISODE), xr.concat(samples, dim="sample", coords="minimal")


def _of_episode(way: xr.Dataset, reference: xr.Dataset, thresholds: Sequence[float]) -> xr.Dataset:
    """The measures of one way against one reference in one episode."""
    jacobian, truth = (dataset.jacobian.drop_vars(WAY).drop_attrs(deep=False) for dataset in (way, reference))
    finite = (finite_mask(jacobian) & finite_mask(truth)).all(_ENTRIES)
    has_roughness = reference.roughness.notnull().drop_vars(WAY)
    rough = has_roughness & (reference.roughness.drop_vars(WAY) > ROUGH)
    smooth = finite & ~rough
    largest = abs(truth).max(_ENTRIES)
    error = (abs(jacobian - truth).max(_ENTRIES) / largest.where(largest > 0)).where(smooth)
    measures = {
        "rough": rough.where(has_roughness).mean(TIME),
        "off_1": _share(error > 0.01, smooth),
        "off_10": _share(error > 0.1, smooth),
        "error_median": _quantile(error, 0.5),
        "error_99": _quantile(error, 0.99),
        "step_difference": way.step_difference.drop_vars(WAY).median(TIME),
        "nonfinite": 1 - finite.mean(TIME),
    }
    by_threshold = [_zeros(jacobian, truth, smooth, threshold) for threshold in thresholds]
    swept = xr.concat(by_threshold, dim=xr.DataArray(list(thresholds), dims="threshold", name="threshold"))
    return swept.assign(measures)


def _zeros(jacobian: xr.DataArray, reference: xr.DataArray, steps: xr.DataArray, threshold: float) -> xr.Dataset:
    """How far the zeros of two Jacobians agree, over `steps` (bool, dim `time`)."""
    zero, reference_zero = zero_mask(jacobian, threshold), zero_mask(reference, threshold)
    disagreeing = (zero != reference_zero).mean(_ENTRIES)
    return xr.Dataset(
        {
            "sparsity": zero.mean(_ENTRIES).where(steps).mean(TIME),
            "reference_sparsity": reference_zero.mean(_ENTRIES).where(steps).mean(TIME),
            "disagreeing": disagreeing.where(steps).mean(TIME),
            "same_pattern": _share(disagreeing == 0, steps),
            "pattern_off_1": _share(disagreeing > 0.01, steps),
            "pattern_off_10": _share(disagreeing > 0.1, steps),
            "pattern_median": _quantile(disagreeing.where(steps), 0.5),
        }
    )


def _share(part: xr.DataArray, steps: xr.DataArray) -> xr.DataArray:
    """The share of `steps` at which `part` is true; NaN where `steps` is never true."""
    return part.where(steps).mean(TIME)


def _quantile(error: xr.DataArray, share: float) -> xr.DataArray:
    """A quantile over the steps whose error is not NaN; NaN if there is no such step."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return error.quantile(share, TIME).drop_vars("quantile")
