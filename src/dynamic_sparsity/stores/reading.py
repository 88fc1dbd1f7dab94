"""What an error means that comes up while a store is read: damage where a file contradicts its digest, else its own cause.

Only damage is mended by making the store again. A missing right, module or network disk, or too little memory, says
nothing about the store, and its message never asks to delete it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path

from dynamic_sparsity.errors import UserError, printable
from dynamic_sparsity.stores import digests, layout, metadata

DELETE = "delete it and run snakemake again"
MORE_MEMORY = "close what else needs it, run fewer jobs at once (snakemake --cores 1), or ask for more (--set-resources)"
DISK_REMEDIES = {
    errno.EIO: "look at what the system says of that disk (dmesg)",
    errno.ESTALE: "mount that network file system again",
}
_REMEDIES = {
    **DISK_REMEDIES,
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close what holds files open (lsof)",
}
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@contextlib.contextmanager
def reading(store: Path) -> Generator[None, None, None]:
    """Any error in the block as one UserError that names the store: zarr and its codecs raise many kinds."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(explanation(store, error)) from None


def explanation(store: Path, error: Exception) -> str:
    """What kept a store from being read, and the remedy, in one line."""
    if known := cause(store, error):
        return known
    if isinstance(error, layout.RefusedError):
        return f"{store} is not read: {printable(error):.500}"
    if wrong := damage(store):
        return damaged(store, f"{wrong}; {_reason(error)}")
    if short := shortage(error):
        return f"{store} cannot be read: {short}"
    return (
        f"{store} cannot be read ({_reason(error)}). No file of it contradicts its digest: look at where it comes from,"
        " and at the packages that read it"
    )


def damaged(store: Path, wrong: str) -> str:
    """Message for a store of which `damage` found something wrong."""
    return f"{store} is damaged and cannot be read ({wrong}): {DELETE}"


def cause(path: Path, error: BaseException) -> str | None:
    """Message for what has nothing to do with what the files hold: a missing right or module, a disk; None for the rest."""
    for each in chain(error):
        if isinstance(each, ImportError):
            module = printable(each.name or each)
            return f"{path} cannot be read: no Python module {module}, or a broken one; install envs/requirements.txt again"
        if isinstance(each, PermissionError):
            return f"{path} cannot be read: {_missing_right(each)}"
        if isinstance(each, OSError) and each.errno and not isinstance(each, _ABSENT):
            where = f" ({printable(each.filename)})" if each.filename else ""
            remedy = _REMEDIES.get(each.errno, "look at what the system says of it (dmesg), mend it")
            return f"{path} cannot be read: {os.strerror(each.errno)}{where}; {remedy}, then run this again"
    return None


def shortage(error: BaseException) -> str | None:
    """What to say of an error that is too little memory; None for any other."""
    if any(isinstance(each, MemoryError) for each in chain(error)):
        return f"too little memory ({printable(error) or 'none left'}); {MORE_MEMORY}"
    return None


def damage(store: Path) -> str | None:
    """The first file of a store that contradicts its digest, or is missing though listed; None where none does.

    The root's metadata, which holds the list, contradicts itself where it is no JSON.
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
    return next(iter(digests.compare(store, listed).damaged), None) if listed else None


def _reason(error: Exception) -> str:
    text = printable(f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else error)
    return f"{text:.500}"


def _missing_right(error: PermissionError) -> str:
    """Which right on which file, or folder, is missing."""
    if not error.filename:
        return "a right to read it is missing; get it (ls -lR, chown, chmod u+rX)"
    file = Path(os.fsdecode(error.filename))
    for folder in reversed(file.parents):
        with contextlib.suppress(OSError):
            if folder.is_dir() and not os.access(folder, os.X_OK):
                return f"the right to search {printable(folder)} is missing; get it (ls -ld, chown, chmod u+x)"
    return f"the right to read {printable(file)} is missing; get it (ls -l, chown, chmod u+rX)"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: packages wrap what they meet."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from chain(inner)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
