"""Messages for errors while a store is read: damage if a file contradicts its digest, otherwise the error's cause.

Only a damaged store has to be made again. A missing permission, module or network disk, or too little memory, says
nothing about the store, and its message never says to delete it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path

from dynamic_sparsity.errors import UserError, printable
from dynamic_sparsity.stores import comparison, layout, metadata

DELETE = "delete it and run snakemake again"
MORE_MEMORY = "close other programs, run fewer jobs at once (snakemake --cores 1), or ask for more (--set-resources)"
DISK_REMEDIES = {
    errno.EIO: "read what the system's log says about that disk (dmesg)",
    errno.ESTALE: "mount that network file system again",
}
_REMEDIES = {
    **DISK_REMEDIES,
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close programs that hold many files open (lsof)",
}
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@contextlib.contextmanager
def reading(store: Path) -> Generator[None, None, None]:
    """Turn any error in the block into a UserError that names the store: zarr and its codecs raise many types."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(explanation(store, error)) from None


def explanation(store: Path, error: Exception) -> str:
    """Why a store cannot be read, and the remedy, in one line."""
    if known := cause(store, error):
        return known
    if isinstance(error, layout.RefusedError):
        return f"{store} is not read: {printable(error):.500}"
    if finding := damage(store):
        return damaged(store, f"{finding}; {_reason(error)}")
    if no_memory := shortage(error):
        return f"{store} cannot be read: {no_memory}"
    return (
        f"{store} cannot be read ({_reason(error)}). None of its files contradicts its digest: check where the store comes"
        " from, and which versions of zarr and numcodecs read it"
    )


def damaged(store: Path, finding: str) -> str:
    """The message for a damaged store; `finding` says which file is damaged."""
    return f"{store} is damaged and cannot be read ({finding}): {DELETE}"


def cause(path: Path, error: BaseException) -> str | None:
    """The message for an error that files' content did not cause (a missing permission or module, a disk); else None."""
    for link in chain(error):
        if isinstance(link, ImportError):
            module = printable(link.name or link)
            return f"{path} cannot be read: no Python module {module}, or a broken one; install envs/requirements.txt again"
        if isinstance(link, PermissionError):
            return f"{path} cannot be read: {_missing_right(link)}"
        if isinstance(link, OSError) and link.errno and not isinstance(link, _ABSENT):
            file = f" ({printable(link.filename)})" if link.filename else ""
            remedy = _REMEDIES.get(link.errno, "read the system's log (dmesg) and fix the cause")
            return f"{path} cannot be read: {os.strerror(link.errno)}{file}; {remedy}, then run this again"
    return None


def shortage(error: BaseException) -> str | None:
    """The message for an error caused by too little memory; None for any other."""
    if any(isinstance(link, MemoryError) for link in chain(error)):
        return f"too little memory ({printable(error) or 'none left'}); {MORE_MEMORY}"
    return None


def damage(store: Path) -> str | None:
    """The first file of a store that contradicts its digest, or is listed and missing, in words; None if there is none.

    The metadata of the root, which holds the list, is damaged if it is not JSON.
    """
    try:
        document = layout.read_metadata(store / layout.ROOT)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return f"{layout.ROOT} is no JSON: {printable(error)}"
    except FileNotFoundError:
        return f"{layout.ROOT} is missing"
    except (OSError, ValueError, MemoryError):
        return None
    attributes = document.get("attributes") if isinstance(document, dict) else None
    listed = metadata.listed_files(attributes) if isinstance(attributes, dict) else None
    return next(iter(comparison.compare(store, listed).damaged), None) if listed else None


def _reason(error: Exception) -> str:
    text = printable(f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else error)
    return f"{text:.500}"


def _missing_right(error: PermissionError) -> str:
    """The permission that is missing, and on which file or folder."""
    if not error.filename:
        return "a right to read it is missing; get it (ls -lR, chown, chmod u+rX)"
    file = Path(os.fsdecode(error.filename))
    for folder in reversed(file.parents):
        with contextlib.suppress(OSError):
            if folder.is_dir() and not os.access(folder, os.X_OK):
                return f"the right to search {printable(folder)} is missing; get it (ls -ld, chown, chmod u+x)"
    return f"the right to read {printable(file)} is missing; get it (ls -l, chown, chmod u+rX)"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and the errors that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from chain(inner)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
