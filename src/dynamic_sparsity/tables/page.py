"""A table as a self-contained HTML page that fits a window of 1,280 pixels: the verdict first, the explanations last."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import pandas as pd

from dynamic_sparsity.tables import _cells
from dynamic_sparsity.tables._cells import Column

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }
h1 { font-size: 1.35em; max-width: 40em; }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0; }
th, td { padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th { background: #f4f4f4; position: sticky; top: 0; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid #2266aa; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
td.text, th.text { text-align: left; }
td.words { text-align: left; min-width: 11em; max-width: 32em; }
td small { display: block; color: #555; white-space: nowrap; }
p, li { max-width: 60em; }
summary { cursor: pointer; }
"""
_SORT = """
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, body = head.closest("table").tBodies[0], column = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending", value = row => row.cells[column].dataset.value;
  const compare = (a, b) => a === b ? 0 : a === "" ? 1 : b === "" ? -1
    : (up ? 1 : -1) * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
});
"""
"""A click on a heading sorts the rows of its table; rows without a value come last."""


def render(frame: pd.DataFrame, caption: str, sentences: Sequence[str] = ()) -> str:
    """The page of a table: its title, a list of sentences, the table, and the explanation of the columns in a fold.

    `caption` has paragraphs separated by blank lines; the first is the title. A paragraph that starts with "- " is a
    list, and text in backticks is code. Numbers have four significant digits. An estimate and its interval share a
    column; rows that differ only in their policy or their task are one row; long texts show their first sentence and
    open on a click. A table that is too wide is cut into several with the same rows, one below the other.
    """
    title, *explanation = caption.strip().split("\n\n")
    findings = f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""
    tables = "".join(_table(columns) for columns in _cells.fitting(_cells.columns_of(_cells.merged(frame))))
    fold = "".join(_paragraph(paragraph) for paragraph in explanation)
    fold = f"<details><summary>What the columns mean</summary>{fold}</details>" if fold else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{_inline(title)}</h1>{findings}{tables}{fold}"
        f"<script>{_SORT}</script></body></html>\n"
    )


def _table(columns: Sequence[Column]) -> str:
    head = "".join(
        f"<th{_class('text' if column.is_text else '')}><button>{html.escape(column.heading)}</button></th>"
        for column in columns
    )
    rows = zip(*([_cell(cell, in_words=column.is_text) for cell in column.cells] for column in columns), strict=True)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: _cells.Cell, *, in_words: bool) -> str:
    text, note = html.escape(cell.text), html.escape(cell.note)
    if cell.is_text and note:
        content = f"<details><summary>{text}</summary>{note}</details>"
    else:
        content = f"{text}<small>{note}</small>" if note else text
    kind = "" if not in_words else "words" if len(cell.text) + len(cell.note) > _cells.LONG else "text"
    return f'<td{_class(kind)} data-value="{html.escape(cell.value)}">{content}</td>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _paragraph(text: str) -> str:
    if text.startswith("- "):
        items = text.removeprefix("- ").split("\n- ")
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{_inline(text)}</p>"


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(" ".join(text.split())))
