"""Digest of the reported numbers that this repository ships (resources/paper), wherever their files lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from dynamic_sparsity.errors import UserError


def digest(files: Sequence[Path]) -> str:
    """SHA-256 of the files' names and contents. Raises UserError for a file that cannot be read."""
    total = hashlib.sha256()
    for path in files:
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"cannot read {path} ({error.strerror}): restore it (git checkout)") from None
        total.update(f"{content}  {path.name}\n".encode())
    return total.hexdigest()
