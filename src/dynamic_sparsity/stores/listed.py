"""The directory of a store as zarr reads it, except that a lost file is an error.

Zarr takes a chunk that has no file for one that holds nothing but the fill value, and writes no file for such a chunk.
Only the store's list of its files says whether a file was lost.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.stores.comparison import missing_file
from dynamic_sparsity.stores.reading import damaged


class ListedStore(LocalStore):
    """Reads the directory `root`. Raises UserError when zarr asks for a file that is in `listed` and is not there."""

    def __init__(self, root: Path, listed: Collection[str], *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self._listed = listed

    def with_read_only(self, read_only: bool = False) -> ListedStore:
        """The same directory, writable or not; zarr asks for it."""
        return ListedStore(self.root, self._listed, read_only=read_only)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The content of one file, or a range of it; None where there is no such file and none is listed."""
        content = await super().get(key, prototype, byte_range)
        if content is None and key in self._listed:
            raise UserError(damaged(self.root, missing_file(self.root, key)))
        return content
