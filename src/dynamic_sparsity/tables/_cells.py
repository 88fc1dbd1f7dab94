"""The columns of a table's page: an estimate with its interval in one, equal rows merged, wide tables cut."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

LONG = 40
"""Texts with more characters get a wide column."""
_FOLDED = 90
"""Texts with more characters show their first sentence only, and open on a click."""
_NAME = 20
"""Longer texts name no rows, and wrap."""
_SHORTEST = 25
"""What is shown of a folded text has at least so many characters."""
_WIDTH = 170
"""Characters that fit a window of 1,280 pixels, with four more for the space between two columns."""
_SEVERAL = ("policy", "task")
"""Columns in which otherwise equal rows may differ and still be merged."""


@dataclass(frozen=True)
class Cell:
    """What one cell shows: `text`, below it or folded away `note`; it is sorted by `value`."""

    text: str
    note: str = ""
    value: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a page."""

    heading: str
    cells: list[Cell]

    @property
    def is_text(self) -> bool:
        """Whether any cell holds words."""
        return any(cell.is_text for cell in self.cells)

    @property
    def names_rows(self) -> bool:
        """Whether it can say which row is which, if it is among the first: short texts, or `rank`."""
        return self.heading == "rank" or (self.is_text and all(len(cell.text) <= _NAME for cell in self.cells))

    @property
    def width(self) -> int:
        """Characters that the column needs, with the space next to it; headings and texts wrap at spaces."""
        words = max(map(len, self.heading.split()), default=0)
        shown = [
            min(len(cell.text), _NAME) if cell.is_text else max(len(cell.text), len(cell.note) * 5 // 6)  # notes are small
            for cell in self.cells
        ]
        return 4 + max([words, *shown])


def merged(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with rows that differ only in their policy, or only in their task, merged into one."""
    for name in _SEVERAL:
        others = [column for column in frame.columns if column != name]
        if name not in frame.columns or not others or frame[name].map(type).ne(str).any():
            continue
        keys = pd.Series(["\x1f".join(map(str, row)) for row in frame[others].itertuples(index=False)], index=frame.index)
        names = frame.groupby(keys, sort=False)[name].agg(lambda values: ", ".join(dict.fromkeys(values)))
        frame = frame.loc[~keys.duplicated()].assign(**{name: names.to_numpy()})
    return frame


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """The columns of a page; the ends of an interval and a standard deviation join the column of their estimate."""
    columns, taken = [], set()
    for name in map(str, frame.columns):
        if name in taken:
            continue
        low, high = _ends(name, list(map(str, frame.columns)))
        deviation = f"{name}_std" if f"{name}_std" in frame.columns else None
        taken |= {column for column in (low, high, deviation) if column}
        notes = [""] * len(frame)
        if low and high:
            notes = [_interval(*ends) for ends in zip(frame[low], frame[high], strict=True)]
        elif deviation:
            notes = [f"± {_number(value)}" if value == value else "" for value in frame[deviation]]
        cells = [_cell(value, note) for value, note in zip(frame[name], notes, strict=True)]
        columns.append(Column(name.replace("_", " "), cells))
    return columns


def fitting(columns: Sequence[Column]) -> Iterator[list[Column]]:
    """Cuts a table that is too wide into several of about the same width; each starts with the names of the rows."""
    first_value = next((k for k, column in enumerate(columns) if k and not column.names_rows), len(columns))
    names, values = list(columns[:first_value]), columns[first_value:]
    room = _WIDTH - sum(column.width for column in names)
    total = sum(column.width for column in values)
    target = total / max(1, math.ceil(total / room))
    part: list[Column] = []
    used = 0
    for column in values:
        if part and (used + column.width > room or used + column.width / 2 > target):
            yield [*names, *part]
            part, used = [], 0
        part.append(column)
        used += column.width
    yield [*names, *part]


def _ends(name: str, names: list[str]) -> tuple[str | None, str | None]:
    """The columns with the ends of the interval of column `name`; None if it has no interval."""
    following = names[names.index(name) + 1 :][:2]
    pairs = [(f"{name}_low", f"{name}_high")]
    if name.startswith("share_"):
        pairs.append((name.replace("share_", "low_", 1), name.replace("share_", "high_", 1)))
    if following == ["low", "high"]:
        pairs.append(("low", "high"))
    return next(((low, high) for low, high in pairs if low in names and high in names), (None, None))


def _interval(low: float, high: float) -> str:
    return f"[{_number(low)}, {_number(high)}]" if low == low and high == high else ""


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(value: object, note: str) -> Cell:
    if isinstance(value, str):
        first, rest = _first_sentence(value) if len(value) > _FOLDED else (value, "")
        return Cell(first, rest, value[:LONG], is_text=True)
    if value is None or value != value:
        return Cell("–", note)
    return Cell(_number(value), note, repr(float(value)) if isinstance(value, int | float) else str(value))


def _first_sentence(text: str) -> tuple[str, str]:
    """A text's first sentence, or as many of its words as a line holds, and the rest."""
    for end in (": ", ". ", "; "):
        first, mark, rest = text.partition(end)
        if rest and _SHORTEST <= len(first) <= _FOLDED:
            return first + mark.strip(), rest
    first = text[:_FOLDED].rpartition(" ")[0]
    return f"{first} …", f"… {text[len(first) :].strip()}"
