"""Where a store's metadata lies, and how it is read within bounds, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dynamic_sparsity.stores.metadata import parsed

ROOT = "zarr.json"
_LARGEST_METADATA = 2**26
"""Bytes; what is made of them takes up to 40 times as much memory (`[[[]],[[]],…`), 2.5 GB. The root's list of files needs
100 bytes for each: that is room for 600,000 shards, six arrays of the 100,000 episodes that config.yaml allows."""


class RefusedError(ValueError):
    """Something in a store that is not looked at, whatever it holds."""


def read_metadata(path: Path) -> Any:
    """The JSON of one `zarr.json`; raises OSError or ValueError where it is no such file of the store's own."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise RefusedError(f"{path.name} is not a file of its own; copy what it means in its place")
    if (size := path.stat().st_size) > _LARGEST_METADATA:
        raise ValueError(f"{path.name} has {size} bytes, at most {_LARGEST_METADATA} are read")
    return parsed(path.read_bytes())
