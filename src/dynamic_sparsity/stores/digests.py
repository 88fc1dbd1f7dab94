"""The files of a store and their SHA-256: which are there, and which contradict the list that the store keeps of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamic_sparsity.errors import printable
from dynamic_sparsity.stores import layout


@dataclass
class Comparison:
    """How the files of a store differ from its list of them, a sentence each. Only `damaged` is damage."""

    damaged: list[str] = field(default_factory=list)
    """Files that contradict their digest, or are missing though they are listed."""
    unknown: list[str] = field(default_factory=list)
    """Files that are there and not listed."""
    unread: list[Exception] = field(default_factory=list)
    """Why files, or folders, could not be read: nothing is known of these."""


def files_of(store: Path) -> list[Path]:
    """All files of a store; no links, and no hidden files: Snakemake's time stamp, what file managers and NFS leave.

    Raises OSError for a folder that cannot be read.
    """
    return [file for file in _entries(store) if not file.name.startswith(".") and not file.is_symlink() and file.is_file()]


def sha256(path: Path) -> str:
    """The digest of one file, which is never in memory as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(store: Path, digests: dict[str, Any]) -> list[str]:
    """Files that are listed and not there, a sentence each; nothing is read. Raises OSError for an unreadable folder."""
    present = {str(file.relative_to(store)) for file in files_of(store)}
    return [missing_file(store, name) for name in sorted(digests.keys() - present)]


def compare(store: Path, digests: dict[str, Any]) -> Comparison:
    """Hold every file against the list. No path is made of a name in the list: it may lead outside."""
    result = Comparison()
    try:
        present = {str(file.relative_to(store)): file for file in files_of(store)}
    except OSError as error:
        return Comparison(unread=[error])
    present.pop(layout.ROOT, None)  # it holds the list
    result.damaged = [missing_file(store, name) for name in sorted(digests.keys() - present)]
    for name in sorted(present):
        shown = f"{store}/{printable(name):.300}"
        if name not in digests:
            result.unknown.append(f"{shown} is not in the store's list of its files")
        else:
            try:
                if sha256(present[name]) != digests[name]:
                    result.damaged.append(f"{shown} has been altered")
            except (OSError, MemoryError) as error:
                result.unread.append(error)
    return result


def missing_file(store: Path, name: str) -> str:
    """A sentence: the file that is listed as `name` is missing."""
    outside = ", and would not lie in the store: it was not looked for" if {"", ".."} & {*name.split("/")} else ""
    return f"{store}/{printable(name):.300} is missing{outside}"


def _entries(store: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    return sorted(Path(folder, name) for folder, _, names in os.walk(store, onerror=refuse) for name in names)
