"""Whether a store is sound: every file the one that was written, every chunk decoded, and nothing outside it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.stores import digests, reading, untrusted
from dynamic_sparsity.stores.metadata import DIGESTS


@dataclass
class Verdict:
    """What is wrong with a store, in words. Only a store that is damaged is to be made again."""

    damage: list[str] = field(default_factory=list)
    """Files that contradict their digest, or are missing."""
    doubts: list[str] = field(default_factory=list)
    """All else: files that are not listed, or that cannot be read; what is not a store of this schema."""

    @property
    def problems(self) -> list[str]:
        """Empty where the store is sound."""
        return [*self.damage, *self.doubts]


def verify_store(path: Path) -> list[str]:
    """What is wrong with a store, in words: files missing, altered or unknown, chunks that do not decode. Empty when sound.

    Nothing is decoded of a store of which any file was altered.
    """
    return verdict_of(path).problems


def verdict_of(path: Path) -> Verdict:
    """The same, damage apart from what says nothing against the store."""
    try:
        verdict = _of_files(path, untrusted.attributes_of(path).get(DIGESTS))
        if verdict.problems:
            return verdict
        dataset = untrusted.open_untrusted(path)
    except UserError as error:
        return _unopened(path, str(error))
    for name in dataset.variables:
        try:
            _read_through(dataset[name])
        except Exception as error:  # any codec's error means the same here
            reason = reading.shortage(error) or f"{printable(error):.500}"
            verdict.doubts.append(reading.cause(path, error) or f"{path}: {quoted(name)} does not decode: {reason}")
    return verdict


def _unopened(path: Path, message: str) -> Verdict:
    """Of what could not be opened: damaged where a store has lost its metadata, or holds files that were altered."""
    wrong = reading.damage(path) if path.suffix == ".zarr" and path.is_dir() else None
    if wrong is None:
        return Verdict(doubts=[message])
    return Verdict(damage=[message]) if wrong in message else Verdict(damage=[f"{path}: {wrong}"], doubts=[message])


def _of_files(path: Path, listed: Any) -> Verdict:
    """How the files of a store differ from its list of them."""
    if not isinstance(listed, dict):
        return Verdict(doubts=[f"{path} has no list of its files: another program wrote it, or a part of a store"])
    compared = digests.compare(path, listed)
    unread = [
        reading.cause(path, error) or f"{path} cannot be read: {reading.shortage(error) or printable(error)}"
        for error in compared.unread
    ]
    return Verdict(compared.damaged, [*compared.unknown, *unread])


def _read_through(array: xr.DataArray) -> None:
    """Decode an array in the pieces whose size `untrusted.check_arrays` bounds: along the first dim, chunk by chunk."""
    if not array.dims:
        array.load()
        return
    first, step = array.dims[0], array.encoding.get("chunks", (1,))[0]
    for start in range(0, array.sizes[first], step):
        array.isel({first: slice(start, start + step)}).load()
