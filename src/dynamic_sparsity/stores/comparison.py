"""The files of a store compared with the list of them among the store's attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamic_sparsity.errors import printable
from dynamic_sparsity.stores import layout
from dynamic_sparsity.stores.digests import files_of, sha256


@dataclass
class Comparison:
    """How the files of a store differ from its list of them, one sentence for each file."""

    damaged: list[str] = field(default_factory=list)
    """Files that contradict their digest, and listed files that are missing: the store is damaged."""
    unknown: list[str] = field(default_factory=list)
    """Files that are not listed."""
    unread: list[Exception] = field(default_factory=list)
    """Errors of files and folders that could not be read, and so not compared."""


def missing(store: Path, digests: dict[str, Any]) -> list[str]:
    """One sentence for each listed file that is missing. Raises OSError for a folder that cannot be listed."""
    present = {str(file.relative_to(store)) for file in files_of(store)}
    return [missing_file(store, name) for name in sorted(digests.keys() - present)]


def compare(store: Path, digests: dict[str, Any]) -> Comparison:
    """Compare every file with the list. Names in the list are never used as paths, because they may lead outside."""
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
    """The sentence that says that the file listed as `name` is missing."""
    outside = ", and would not lie in the store: it was not looked for" if {"", ".."} & {*name.split("/")} else ""
    return f"{store}/{printable(name):.300} is missing{outside}"
