"""Zeros of one task and policy over all study seeds: which entries are always zero, how often, and what breaks them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import zeros
from dynamic_sparsity.sparsity.resampling import stratified_mean
from dynamic_sparsity.sparsity.zero_kinds import kind_shares
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME, labels

CONSTRAINT_KINDS = ("contact", "joint_limit", "tendon_limit")
_COUNTS = ["zero_count", "finite_count", "free_zero_count", "free_finite_count", "length"]


def summarise(seeds: Sequence[xr.Dataset], threshold: float, resampling: ResamplingSettings) -> xr.Dataset:
    """Pool the sparsity stores of one task and policy, one per study seed. `threshold`: the main threshold.

    - `zero_fraction`, `always_zero` (out_dim, in_dim) and `global_zeros` (block), each over `threshold`;
    - `free_always_zero`: entries that are zero in every step without an active constraint, at the main threshold;
      `free_steps`: how many such steps there are; `free_global_zeros`: how many such entries each block has;
    - `broken_entry`: those of these entries that are not always zero; `broken_steps`: steps in which one is not zero;
      `active_steps`, `loaded_steps` and `broken_active`, `broken_loaded`: in how many steps, and in how many of the
      broken steps, each constraint is active and carries a force;
    - `zero_kind_share`, `_low`, `_high` over `zero_kind`: how the zeros are shared out (`zero_kinds.kind_shares`);
    - `mean_sparsity` over `threshold` and `block`: the mean over episodes; `_low` and `_high`: the ends of an interval
      from resampling episodes within seeds;
    - `active_share_mean`, `_low`, `_high` over `kind`: the share of steps with an active contact, joint limit or tendon
      limit, with the same kind of interval;
    - `sparsity_when_free`, `_active`, `_contact`, `_loaded_contact` over `block`: the mean over all steps without an
      active constraint, with one, with an active contact, and with a contact that carries a force, at the main
      threshold; NaN if there is no such step.
    """
    counts = xr.concat([_pooled_counts(sparsity) for sparsity in seeds], dim=EPISODE)
    steps = counts.length.sum()
    global_zeros = _global_zeros(seeds, counts, threshold)
    always = global_zeros["always_zero"].sel(threshold=threshold, drop=True)
    return xr.Dataset(
        {
            **global_zeros,
            **kind_shares(seeds, always, global_zeros["broken_entry"], threshold, resampling),
            **_means(seeds, resampling),
            **_by_activity(seeds, threshold),
            "nonfinite_fraction": 1 - counts.finite_count.sum(EPISODE) / steps,
            "steps": steps,
        }
    )


def _global_zeros(seeds: Sequence[xr.Dataset], counts: xr.Dataset, threshold: float) -> dict[str, xr.DataArray]:
    """The entries that are always zero, with and without an active constraint, and the steps that break them."""
    always = xr.concat([zeros.always_zero(counts, level) for level in counts.threshold.values], dim=counts.threshold)
    fraction = xr.concat([zeros.zero_fraction(counts, level) for level in counts.threshold.values], dim=counts.threshold)
    free = zeros.always_zero_when_free(counts)
    broken = free & ~always.sel(threshold=threshold)
    return {
        "zero_fraction": fraction,
        "always_zero": always,
        "global_zeros": zeros.per_block(always),
        "entries": zeros.per_block(xr.ones_like(free)),
        "free_always_zero": free,
        "free_global_zeros": zeros.per_block(free),
        "free_steps": sum(sparsity.constraint_free.values[_within_episode(sparsity)].sum() for sparsity in seeds),
        "broken_entry": broken,
        **_breakers(seeds, broken),
    }


def _means(seeds: Sequence[xr.Dataset], resampling: ResamplingSettings) -> dict[str, xr.DataArray]:
    """Mean sparsity and mean share of steps with an active constraint, with intervals."""
    bootstrap = resampling.resamples, resampling.confidence, resampling.seed
    means = stratified_mean([_episode_means(sparsity) for sparsity in seeds], *bootstrap)
    active = stratified_mean([_active_shares(sparsity) for sparsity in seeds], *bootstrap)
    return {
        "mean_sparsity": means["mean"],
        "mean_sparsity_low": means["low"],
        "mean_sparsity_high": means["high"],
        **{f"active_share_{name}": active[name] for name in active},
    }


def _pooled_counts(sparsity: xr.Dataset) -> xr.Dataset:
    """Counts of one study seed, summed over its episodes; holds one episode in memory at a time."""
    episodes = (sparsity[_COUNTS].isel({EPISODE: number}, drop=True).load() for number in range(sparsity.sizes[EPISODE]))
    return functools.reduce(operator.add, episodes)


def _episode_means(sparsity: xr.Dataset) -> xr.DataArray:
    """Mean sparsity of each episode."""
    return xr.concat([episode.sparsity.mean(TIME) for episode in episodes_of(sparsity[["sparsity", "length"]])], dim=EPISODE)


def _active_shares(sparsity: xr.Dataset) -> xr.DataArray:
    """Per episode and `kind` of constraint, the share of steps in which such a constraint is active."""
    constraints = [np.flatnonzero(sparsity.constraint_kind.values == kind) for kind in CONSTRAINT_KINDS]
    needed = sparsity[["constraint_active", "length"]].reset_coords("constraint_kind", drop=True)
    episodes = [
        xr.concat(
            [episode.constraint_active[{CONSTRAINT: of_kind}].any(CONSTRAINT).mean(TIME) for of_kind in constraints],
            dim="kind",
        )
        for episode in episodes_of(needed)
    ]
    return xr.concat(episodes, dim=EPISODE).assign_coords(kind=labels(CONSTRAINT_KINDS))


def _by_activity(seeds: Sequence[xr.Dataset], threshold: float) -> dict[str, xr.DataArray]:
    """Mean sparsity over free steps, steps with an active constraint, with a contact and with a loaded contact."""
    parts: dict[str, list[xr.Dataset]] = {name: [] for name in ("free", "active", "contact", "loaded_contact")}
    needed = ["sparsity", "constraint_free", "constraint_active", "constraint_loaded", "length"]
    for sparsity in seeds:
        contact = np.flatnonzero(sparsity.constraint_kind.values == "contact")
        unlabelled = sparsity[needed].reset_coords("constraint_kind", drop=True)
        for episode in episodes_of(unlabelled.sel(threshold=threshold, drop=True)):
            groups = {
                "free": episode.constraint_free,
                "active": ~episode.constraint_free,
                "contact": episode.constraint_active[{CONSTRAINT: contact}].any(CONSTRAINT),
                "loaded_contact": episode.constraint_loaded[{CONSTRAINT: contact}].any(CONSTRAINT),
            }
            for name, in_group in groups.items():
                values = episode.sparsity.where(in_group)
                parts[name].append(xr.Dataset({"total": values.sum(TIME), "steps": values.notnull().sum(TIME)}))
    pooled = {name: functools.reduce(operator.add, episode_sums) for name, episode_sums in parts.items()}
    return {f"sparsity_when_{name}": sums.total / sums.steps.where(sums.steps > 0) for name, sums in pooled.items()}


def _within_episode(sparsity: xr.Dataset) -> np.ndarray:
    """True at each [episode, time] before the episode's end."""
    return np.arange(sparsity.sizes[TIME])[None, :] < sparsity.length.values[:, None]


def _breakers(seeds: Sequence[xr.Dataset], broken: xr.DataArray) -> dict[str, xr.DataArray]:
    """Steps in which each constraint is active and carries a force: of all steps, and of those that break an entry."""
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
    """Every episode of every study seed, with its masks and the activity of its constraints."""
    for sparsity in seeds:
        needed = ["zero", "finite", "constraint_active", "constraint_loaded", "length"]
        yield from episodes_of(sparsity[needed].reset_coords("constraint_kind", drop=True))
