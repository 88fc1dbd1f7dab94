"""The files of a store and their SHA-256."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def files_of(store: Path) -> list[Path]:
    """All files of a store but links and hidden files, such as Snakemake's time stamp and files left by NFS.

    Raises OSError for a folder that cannot be listed.
    """
    return [file for file in _entries(store) if not file.name.startswith(".") and not file.is_symlink() and file.is_file()]


def sha256(path: Path) -> str:
    """The SHA-256 of one file, which is read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(store: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    return sorted(Path(folder, name) for folder, _, names in os.walk(store, onerror=refuse) for name in names)
