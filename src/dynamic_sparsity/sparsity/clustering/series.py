"""The zero series of the entries that switch, episode by episode; entries that share their series are held once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynamic_sparsity.sparsity.patterns import PatternBook, autocorrelation
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import IN, OUT, TIME


@dataclass(frozen=True)
class Episode:
    """One episode, cut to its length."""

    pattern: np.ndarray
    """Number of the pattern of each step, [time]; `patterns.NO_PATTERN` where an entry is not finite."""
    value: np.ndarray
    """The zero series, [time, series], int8: 1 for zero, 0 for non-zero, -1 for not finite."""
    autocorrelation: np.ndarray
    """Of the pattern, [lag] (`patterns.autocorrelation`)."""

    @property
    def switches(self) -> np.ndarray:
        """True where a series differs from the step before and both are finite, [time - 1, series]."""
        before, after = self.value[:-1], self.value[1:]
        return (before != after) & (before >= 0) & (after >= 0)


@dataclass(frozen=True)
class ZeroSeries:
    """The zero series of one task and policy."""

    seeds: list[list[Episode]]
    """The episodes of each study seed."""
    number: np.ndarray
    """Which series each entry has, [out_dim, in_dim]; -1 for an entry that never switches within an episode."""
    entries: np.ndarray
    """Number of entries that have a series, [series]."""

    @property
    def episodes(self) -> list[Episode]:
        """The episodes of all study seeds."""
        return [episode for of_seed in self.seeds for episode in of_seed]

    def by_seed(self, values: ArrayLike) -> list[np.ndarray]:
        """One value per episode of `episodes`, as one array [episode] per study seed."""
        ends = np.cumsum([len(of_seed) for of_seed in self.seeds])
        return np.split(np.asarray(values, float), ends[:-1])


def read(seeds: Sequence[xr.Dataset], max_lag: int) -> ZeroSeries:
    """The zero series of sparsity stores, one store per study seed. Each episode is read once.

    Meanwhile series are held as bits, two per entry and step.
    """
    book = PatternBook()
    packed, rest = [], []
    for store in seeds:
        for episode in episodes_of(store[["zero", "finite", "length"]]):
            packed.append(_packed(episode))
            pattern = book.identify(episode.zero, episode.finite).values
            rest.append((pattern, autocorrelation(episode.zero, episode.finite, max_lag).values))
    number, first = _numbered(packed)
    episodes = [
        Episode(pattern, _unpacked(bits, first, len(pattern)), correlation)
        for bits, (pattern, correlation) in zip(packed, rest, strict=True)
    ]
    ends = np.cumsum([store.sizes["episode"] for store in seeds])
    of_seeds = [episodes[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    entries = np.bincount(number[number >= 0], minlength=len(first))
    return ZeroSeries(of_seeds, number.reshape(seeds[0].sizes[OUT], seeds[0].sizes[IN]), entries)


def of_values(values: Sequence[Sequence[np.ndarray]], entries: Sequence[int], max_lag: int = 10) -> ZeroSeries:
    """The zero series of arrays [time, series] of 1, 0 and -1, given per study seed and episode.

    `entries`: how many entries share each series. For data that is in no store.
    """
    book = PatternBook()
    seeds = []
    for of_seed in values:
        episodes = []
        for value in of_seed:
            zero = xr.DataArray(np.repeat(value == 1, entries, axis=1)[:, :, None], dims=(TIME, OUT, IN))
            finite = xr.DataArray(np.repeat(value >= 0, entries, axis=1)[:, :, None], dims=(TIME, OUT, IN))
            correlation = autocorrelation(zero, finite, max_lag).values
            episodes.append(Episode(book.identify(zero, finite).values, value.astype(np.int8), correlation))
        seeds.append(episodes)
    return ZeroSeries(seeds, np.repeat(np.arange(len(entries)), entries)[:, None], np.asarray(entries))


def _packed(episode: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits of zero and of finite, [entry, bytes], and whether each entry switches."""
    zero, finite = (
        episode[name].transpose(OUT, IN, TIME).values.reshape(-1, episode.sizes[TIME]) for name in ("zero", "finite")
    )
    zero = zero & finite
    switching = ((zero[:, 1:] != zero[:, :-1]) & finite[:, 1:] & finite[:, :-1]).any(1)
    return np.packbits(zero, axis=1), np.packbits(finite, axis=1), switching


def _numbered(packed: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The number of each entry's series (-1: never switches), [entry], and the first entry of each series."""
    switching = np.any([of_episode[2] for of_episode in packed], axis=0)
    number = np.full(len(switching), -1)
    numbers: dict[bytes, int] = {}
    first = []
    for entry in np.flatnonzero(switching):
        key = b"".join(bits[entry].tobytes() for zero, finite, _ in packed for bits in (zero, finite))
        if key not in numbers:
            numbers[key] = len(numbers)
            first.append(entry)
        number[entry] = numbers[key]
    return number, np.array(first, dtype=int)


def _unpacked(packed: tuple[np.ndarray, np.ndarray, np.ndarray], entries: np.ndarray, steps: int) -> np.ndarray:
    """The series of some entries as 1, 0 and -1, [time, series]."""
    zero, finite = (np.unpackbits(bits[entries], axis=1, count=steps).T for bits in packed[:2])
    return np.where(finite, zero, -1).astype(np.int8)
