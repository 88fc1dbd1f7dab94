"""Progress of long loops: a bar in a terminal, occasional lines in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

_Item = TypeVar("_Item")
_LOG_SECONDS = 20.0


class _Lines:
    """A stream for tqdm that prints each state of the bar on a line of its own."""

    def write(self, text: str) -> None:
        if line := text.strip("\r\n "):
            sys.stderr.write(f"{line}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(items: Iterable[_Item], *, total: int, label: str) -> Iterator[_Item]:
    """Yields `items` and shows on standard error how many of `total` are done, the rate and the remaining time."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, unit="episode")
    else:
        yield from tqdm(
            items,
            total=total,
            desc=label,
            unit="episode",
            file=_Lines(),
            mininterval=_LOG_SECONDS,
            maxinterval=1e9,
            ascii=True,
        )
