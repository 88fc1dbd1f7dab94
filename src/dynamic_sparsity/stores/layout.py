"""Where a store's metadata lies, and how it is read within bounds, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dynamic_sparsity.stores.metadata import parsed

ROOT = "zarr.json"
_LARGEST_METADATA = 2**26
"""Most bytes of metadata. Parsed, they may take 40 times as much memory (`[[[]],[[]],…`), 2.5 GB. The root needs 100 bytes
to list a file: this is room for 600,000 shards, six arrays of the 100,000 episodes that config.yaml allows."""


class RefusedError(ValueError):
    """A store holds something that is never read, such as a link."""


def read_metadata(path: Path) -> Any:
    """The JSON of one `zarr.json`. Raises OSError or ValueError unless it is a regular file of a sensible size."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise RefusedError(f"{path.name} is not a regular file; replace it by a copy of its target")
    if (size := path.stat().st_size) > _LARGEST_METADATA:
        raise ValueError(f"{path.name} has {size} bytes, at most {_LARGEST_METADATA} are read")
    return parsed(path.read_bytes())
