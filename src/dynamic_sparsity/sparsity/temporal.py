"""How the patterns of one task change in time, over all of its episodes and study seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.settings.temporal import TemporalSettings
from dynamic_sparsity.sparsity.events import coincidence, events
from dynamic_sparsity.sparsity.patterns import NO_PATTERN, PatternBook, autocorrelation, follow_counts, switch_rate, switches
from dynamic_sparsity.sparsity.resampling import stratified_mean
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import CONSTRAINT, EPISODE, IN, OUT, TIME, labels

EVENT_KINDS = ("any", "contact", "joint_limit", "tendon_limit", "loaded")
"""Kinds of event: any constraint, or one of a kind, becomes active or inactive; any constraint gains or loses force."""


def summarise(seeds: Sequence[xr.Dataset], temporal: TemporalSettings, resampling: ResamplingSettings) -> xr.Dataset:
    """Patterns, switches and events of one task and policy, from the sparsity stores of its study seeds.

    Dims: `seed`, `episode`, `time`; `pattern`, numbered by falling frequency; `follow`, pairs of patterns of which one
    follows the other, most frequent first; `lag`; `event_kind`.

    - `pattern_id` and `switch` (seed, episode, time), `event` (also over `event_kind`);
    - `pattern_zero` (pattern, out_dim, in_dim) and `pattern_count`: a pattern's zero mask, and its number of steps;
      `listed_patterns`: how many of them pages list; `steps_without_pattern`: steps with a non-finite entry;
    - `follow_from`, `follow_to`, `follow_count`: which pattern follows which, and how often;
    - `switch_rate_…` and `autocorrelation_…`: means over episodes with the ends of their intervals (`stratified_mean`);
    - `coincidence_…` over `event_kind`: switches at events (`events.coincidence`).
    """
    book = PatternBook()
    per_seed = [_summarise_seed(sparsity, book, temporal.max_lag) for sparsity in seeds]
    joined = xr.concat(per_seed, dim=xr.DataArray([d.attrs["seed"] for d in seeds], dims="seed", name="seed"))
    rows, columns = seeds[0].sizes[OUT], seeds[0].sizes[IN]
    shares = [
        coincidence(*_series(joined, kind), temporal.shifts, resampling.confidence, resampling.seed) for kind in EVENT_KINDS
    ]
    ranked, count, order = _by_frequency(joined.pattern, book.masks(rows, columns))
    return xr.Dataset(
        {
            "pattern_id": ranked,
            "pattern_zero": (("pattern", OUT, IN), order),
            "pattern_count": ("pattern", count),
            "listed_patterns": min(temporal.max_patterns, len(count)),
            "steps_without_pattern": joined.length.sum() - count.sum(),
            **_follows(ranked, temporal.max_patterns),
            "switch": joined.switch,
            "event": joined.event,
            **_with_interval("switch_rate", per_seed, resampling),
            **_with_interval("autocorrelation", per_seed, resampling),
            **{f"coincidence_{name}": array for name, array in xr.concat(shares, dim="event_kind").items()},
            "length": joined.length,
        },
        coords={"event_kind": labels(EVENT_KINDS), OUT: seeds[0][OUT], IN: seeds[0][IN]},
    )


def _with_interval(name: str, per_seed: Sequence[xr.Dataset], resampling: ResamplingSettings) -> dict[str, xr.DataArray]:
    """The mean over episodes of variable `name` and the ends of its interval."""
    estimate = stratified_mean(
        [summary[name] for summary in per_seed], resampling.resamples, resampling.confidence, resampling.seed
    )
    return {f"{name}_{end}": estimate[end] for end in estimate}


def _summarise_seed(sparsity: xr.Dataset, book: PatternBook, max_lag: int) -> xr.Dataset:
    """The episodes of one study seed along `episode`; adds their patterns to `book`."""
    kinds = sparsity.constraint_kind.values
    needed = sparsity[["zero", "finite", "constraint_active", "constraint_loaded", "length"]]
    episodes = [_summarise_episode(episode, kinds, book, max_lag, sparsity.sizes[TIME]) for episode in episodes_of(needed)]
    return xr.concat(episodes, dim=EPISODE)


def _summarise_episode(episode: xr.Dataset, kinds: np.ndarray, book: PatternBook, max_lag: int, steps: int) -> xr.Dataset:
    """Patterns, switches and events of one episode, padded to `steps`; adds its patterns to `book`."""
    pattern = book.identify(episode.zero, episode.finite)
    event = [
        events(episode.constraint_active),
        *(events(episode.constraint_active[{CONSTRAINT: np.flatnonzero(kinds == kind)}]) for kind in EVENT_KINDS[1:4]),
        events(episode.constraint_loaded),
    ]
    missing = {TIME: (0, steps - pattern.sizes[TIME])}
    return xr.Dataset(
        {
            "pattern": pattern.pad(missing, constant_values=NO_PATTERN),
            "switch": switches(pattern).pad(missing, constant_values=False),
            "event": xr.concat(event, dim="event_kind").pad(missing, constant_values=False),
            "switch_rate": switch_rate(pattern),
            "autocorrelation": autocorrelation(episode.zero, episode.finite, max_lag),
            "length": episode.length,
        }
    ).drop_vars([OUT, IN, CONSTRAINT, EPISODE, "constraint_kind"], errors="ignore")


def _series(joined: xr.Dataset, kind: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Switches and events (of one kind) of every episode, each cut to the episode's length."""
    flat = joined[["switch", "event", "length"]].isel(event_kind=EVENT_KINDS.index(kind))
    flat = flat.stack(seed_episode=("seed", EPISODE)).transpose("seed_episode", TIME)
    ends = flat.length.values
    return (
        [row[:end] for row, end in zip(flat.switch.values, ends, strict=True)],
        [row[:end] for row, end in zip(flat.event.values, ends, strict=True)],
    )


def _by_frequency(pattern: xr.DataArray, masks: np.ndarray) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    """Patterns renumbered by falling frequency, their counts and masks; of equals, the one seen first comes first."""
    identified = pattern.values[pattern.values != NO_PATTERN]
    count = np.bincount(identified, minlength=len(masks))
    order = np.argsort(-count, kind="stable")
    rank = np.empty(len(masks) + 1, dtype=np.int32)
    rank[order], rank[NO_PATTERN] = np.arange(len(masks)), NO_PATTERN
    return pattern.copy(data=rank[pattern.values]), count[order].astype(np.int64), masks[order]


def _follows(pattern: xr.DataArray, listed_patterns: int) -> dict[str, tuple[str, np.ndarray]]:
    """Which patterns followed the `largest` most frequent ones, most frequent pairs first."""
    counts = follow_counts(pattern)
    source, target = (counts.index.get_level_values(name).to_numpy() for name in ("from", "to"))
    listed = source < listed_patterns
    return {
        "follow_from": ("follow", source[listed].astype(np.int32)),
        "follow_to": ("follow", target[listed].astype(np.int32)),
        "follow_count": ("follow", counts.to_numpy()[listed].astype(np.int64)),
    }
