"""Verification of stores: every file is compared with its digest, and every chunk is decoded. No file outside is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.stores import comparison, reading, untrusted
from dynamic_sparsity.stores.attributes import DIGESTS


@dataclass
class Verdict:
    """What is wrong with a store, in words. Only a damaged store has to be made again."""

    damage: list[str] = field(default_factory=list)
    """Files that contradict their digest, and listed files that are missing."""
    doubts: list[str] = field(default_factory=list)
    """Everything else: files that are not listed or cannot be read, and stores of another schema."""

    @property
    def problems(self) -> list[str]:
        """All of them; empty if the store is sound."""
        return [*self.damage, *self.doubts]


def verify_store(path: Path) -> list[str]:
    """Problems of a store, in words: missing, altered or unknown files, and chunks that do not decode.

    If any file was altered, nothing is decoded.
    """
    return verdict_of(path).problems


def verdict_of(path: Path) -> Verdict:
    """The verdict on a store, which keeps damage apart from doubts."""
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
        except Exception as error:  # codecs raise errors of many types
            reason = reading.shortage(error) or f"{printable(error):.500}"
            verdict.doubts.append(reading.cause(path, error) or f"{path}: {quoted(name)} does not decode: {reason}")
    return verdict


def _unopened(path: Path, message: str) -> Verdict:
    """The verdict on a store that cannot be opened: damaged if its metadata is lost or a file was altered."""
    finding = reading.damage(path) if path.suffix == ".zarr" and path.is_dir() else None
    if finding is None:
        return Verdict(doubts=[message])
    return Verdict(damage=[message]) if finding in message else Verdict(damage=[f"{path}: {finding}"], doubts=[message])


def _of_files(path: Path, listed: Any) -> Verdict:
    """The verdict on the files of a store, from its list of them."""
    if not isinstance(listed, dict):
        return Verdict(doubts=[f"{path} has no list of its files: another program wrote it, or it is a part of a store"])
    compared = comparison.compare(path, listed)
    unread = [
        reading.cause(path, error) or f"{path} cannot be read: {reading.shortage(error) or printable(error)}"
        for error in compared.unread
    ]
    return Verdict(compared.damaged, [*compared.unknown, *unread])


def _read_through(array: xr.DataArray) -> None:
    """Decode an array chunk by chunk along its first dim. `untrusted.check_arrays` bounds the size of such a piece."""
    if not array.dims:
        array.load()
        return
    first, step = array.dims[0], array.encoding.get("chunks", (1,))[0]
    for start in range(0, array.sizes[first], step):
        array.isel({first: slice(start, start + step)}).load()
