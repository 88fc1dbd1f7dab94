"""All null models of one task and policy, and the groups of its entries and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.temporal import TemporalSettings
from dynamic_sparsity.sparsity.clustering import (
    entry_groups,
    equal_phase,
    memoryless,
    run_lengths,
    series,
    shifted_entries,
    shuffled_times,
)
from dynamic_sparsity.stores.schema import IN, OUT, labels

NULL_MODELS = ("shuffled times", "memoryless durations", "shifted entries", "equal phase")
"""Labels of the dim `null_model`."""


def summarise(seeds: Sequence[xr.Dataset], temporal: TemporalSettings, resampling: ResamplingSettings) -> xr.Dataset:
    """Null models of one task and policy, from the sparsity stores of its study seeds.

    Over `null_model`, with a variable for each field of `effects.Effect`: `effect`, `low`, `high`, `expected`,
    `null_low`, `null_high`, `p_value`. The modules of the same names say what each effect is. Also what
    `memoryless.compare`, `equal_phase.compare`, `entry_groups.summarise` and `run_lengths.summarise` return, and
    `switches` of the pattern, `switching_entries` and `distinct_series`: how many entries switch, and how many different
    series these have.
    """
    found = series.read(seeds, temporal.max_lag)
    shuffled = shuffled_times.compare(found, temporal.shifts, resampling)
    durations, shares = memoryless.compare(found, temporal.shifts, resampling)
    together = shifted_entries.compare(found, temporal.shifts, resampling)
    gait, periods = equal_phase.compare(found, temporal.shifts, resampling)
    effects = [asdict(effect) for effect in (shuffled, durations, together, gait)]
    result = xr.merge([shares, periods, entry_groups.summarise(found, resampling), run_lengths.summarise(found, resampling)])
    result["switching_entries"], result["distinct_series"] = int(found.entries.sum()), len(found.entries)
    result["switches"] = sum(shuffled_times.switches(episode.pattern) for episode in found.episodes)
    for name in effects[0]:
        result[name] = "null_model", np.array([effect[name] for effect in effects])
    result = result.assign_coords({OUT: seeds[0][OUT], IN: seeds[0][IN]})
    return result.assign_coords(
        null_model=labels(NULL_MODELS),
        seed=[store.attrs["seed"] for store in seeds],
    )
