"""Zeros of one task and policy over all of its seeds: what is zero always, how often, and what breaks it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import zeros
from dynamic_sparsity.sparsity.resampling import stratified_mean
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME, labels

CONSTRAINT_KINDS = ("contact", "joint_limit", "tendon_limit")
_COUNTS = ["zero_count", "finite_count", "free_zero_count", "free_finite_count", "length"]


def summarise(seeds: Sequence[xr.Dataset], threshold: float, resampling: ResamplingSettings) -> xr.Dataset:
    """Pool the sparsity stores of a task's seeds.

    `zero_fraction`, `always_zero` and `global_zeros` over `threshold`; `free_always_zero`: entries that are zero in
    every step without an active constraint, at the main threshold; `broken_entry`: those of them that are not always
    zero, `broken_steps`: how many steps break one, and `broken_active`, `broken_loaded`: in how many of these each
    constraint is active, and carries a force. `mean_sparsity` with `_low` and `_high` over `threshold` and `block`:
    the mean over episodes, with an interval from resampling episodes within seeds. `active_share_mean`, `_low` and
    `_high` over `kind`: the share of steps with an active contact, joint limit or tendon limit, likewise.
    `sparsity_when_free`, `_active`, `_contact` and `_loaded_contact` over `block`: mean over all steps without an active
    constraint, with one, with an active contact, and with a contact that bears a force, at the main threshold; NaN where
    there is no such step.
    """
    counts = xr.concat([_pooled_counts(data) for data in seeds], dim=EPISODE)
    always = xr.concat([zeros.always_zero(counts, level) for level in counts.threshold.values], dim=counts.threshold)
    fraction = xr.concat([zeros.zero_fraction(counts, level) for level in counts.threshold.values], dim=counts.threshold)
    free = zeros.always_zero_when_free(counts)
    broken = free & ~always.sel(threshold=threshold)
    how = resampling.resamples, resampling.confidence, resampling.seed
    means = stratified_mean([_episode_means(data) for data in seeds], *how)
    active = stratified_mean([_active_shares(data) for data in seeds], *how)
    steps = counts.length.sum()
    return xr.Dataset(
        {
            "zero_fraction": fraction,
            "always_zero": always,
            "global_zeros": zeros.per_block(always),
            "entries": zeros.per_block(xr.ones_like(free)),
            "free_always_zero": free,
            "free_global_zeros": zeros.per_block(free),
            "free_steps": sum(data.constraint_free.values[_counted(data)].sum() for data in seeds),
            "broken_entry": broken,
            **_breakers(seeds, broken),
            "mean_sparsity": means["mean"],
            "mean_sparsity_low": means["low"],
            "mean_sparsity_high": means["high"],
            **{f"active_share_{name}": active[name] for name in active},
            **_by_activity(seeds, threshold),
            "nonfinite_fraction": 1 - counts.finite_count.sum(EPISODE) / steps,
            "steps": steps,
        }
    )


def _pooled_counts(data: xr.Dataset) -> xr.Dataset:
    """Counts of one seed, summed over its episodes one by one."""
    episodes = (data[_COUNTS].isel({EPISODE: number}, drop=True).load() for number in range(data.sizes[EPISODE]))
    return functools.reduce(operator.add, episodes)


def _episode_means(data: xr.Dataset) -> xr.DataArray:
    return xr.concat([one.sparsity.mean(TIME) for one in episodes_of(data[["sparsity", "length"]])], dim=EPISODE)


def _active_shares(data: xr.Dataset) -> xr.DataArray:
    """Per episode, the share of its steps in which a constraint of each kind is active."""
    of_kind = [np.flatnonzero(data.constraint_kind.values == kind) for kind in CONSTRAINT_KINDS]
    needed = data[["constraint_active", "length"]].reset_coords("constraint_kind", drop=True)
    episodes = [
        xr.concat([one.constraint_active[{CONSTRAINT: which}].any(CONSTRAINT).mean(TIME) for which in of_kind], dim="kind")
        for one in episodes_of(needed)
    ]
    return xr.concat(episodes, dim=EPISODE).assign_coords(kind=labels(CONSTRAINT_KINDS))


def _by_activity(seeds: Sequence[xr.Dataset], threshold: float) -> dict[str, xr.DataArray]:
    """Mean sparsity over the steps of each of four kinds."""
    parts: dict[str, list[xr.Dataset]] = {name: [] for name in ("free", "active", "contact", "loaded_contact")}
    needed = ["sparsity", "constraint_free", "constraint_active", "constraint_loaded", "length"]
    for data in seeds:
        contact = np.flatnonzero(data.constraint_kind.values == "contact")
        unlabelled = data[needed].reset_coords("constraint_kind", drop=True)
        for one in episodes_of(unlabelled.sel(threshold=threshold, drop=True)):
            kinds = {
                "free": one.constraint_free,
                "active": ~one.constraint_free,
                "contact": one.constraint_active[{CONSTRAINT: contact}].any(CONSTRAINT),
                "loaded_contact": one.constraint_loaded[{CONSTRAINT: contact}].any(CONSTRAINT),
            }
            for name, here in kinds.items():
                known = one.sparsity.where(here)
                parts[name].append(xr.Dataset({"total": known.sum(TIME), "steps": known.notnull().sum(TIME)}))
    pooled = {name: functools.reduce(operator.add, found) for name, found in parts.items()}
    return {f"sparsity_when_{name}": sums.total / sums.steps.where(sums.steps > 0) for name, sums in pooled.items()}


def _counted(data: xr.Dataset) -> np.ndarray:
    """Which (episode, time) are steps of their episode."""
    return np.arange(data.sizes[TIME])[None, :] < data.length.values[:, None]


def _breakers(seeds: Sequence[xr.Dataset], broken: xr.DataArray) -> dict[str, xr.DataArray]:
    """What the constraints do in all steps, and in the steps in which a broken entry is not zero."""
    template = xr.zeros_like(seeds[0].constraint_kind, dtype=np.int64).drop_vars("constraint_kind")
    totals = dict.fromkeys(["active_steps", "loaded_steps", "broken_active", "broken_loaded"], template)
    steps = 0
    for episode in _masks(seeds):
        breaking = (broken & ~episode.zero & episode.finite).any((OUT, IN))
        steps += int(breaking.sum())
        for name in ("active", "loaded"):
            acting = episode[f"constraint_{name}"]
            totals[f"{name}_steps"] = totals[f"{name}_steps"] + acting.sum(TIME)
            totals[f"broken_{name}"] = totals[f"broken_{name}"] + (acting & breaking).sum(TIME)
    return {**totals, "broken_steps": xr.DataArray(steps)}


def _masks(seeds: Sequence[xr.Dataset]) -> Iterator[xr.Dataset]:
    for data in seeds:
        needed = ["zero", "finite", "constraint_active", "constraint_loaded", "length"]
        yield from episodes_of(data[needed].reset_coords("constraint_kind", drop=True))
