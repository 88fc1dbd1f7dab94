"""A table as a self-contained HTML page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import pandas as pd

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }
table { border-collapse: collapse; }
th, td { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th { background: #f4f4f4; position: sticky; top: 0; }
td.text { text-align: left; }
td.words { text-align: left; min-width: 24em; }
p, li { max-width: 60em; }
"""


def render(frame: pd.DataFrame, caption: str, sentences: Sequence[str] = ()) -> str:
    """The page of a table: the caption, a list of sentences, and the table with four significant digits.

    `caption` has paragraphs separated by blank lines. A paragraph that starts with "- " is a list, and text in
    backticks is code.
    """
    paragraphs = "".join(_paragraph(paragraph) for paragraph in caption.strip().split("\n\n"))
    findings = f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""
    head = "".join(f"<th>{html.escape(str(name).replace('_', ' '))}</th>" for name in frame.columns)
    rows = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in frame.itertuples(index=False))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(caption.splitlines()[0])}</title>'
        f"<style>{_STYLE}</style></head><body>{paragraphs}{findings}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></body></html>\n"
    )


def _paragraph(text: str) -> str:
    if text.startswith("- "):
        items = text.removeprefix("- ").split("\n- ")
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{_inline(text)}</p>"


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(" ".join(text.split())))


def _cell(value: object) -> str:
    if isinstance(value, str):
        return f'<td class="{"words" if len(value) > 40 else "text"}">{html.escape(value)}</td>'
    if value is None or value != value:
        return "<td>–</td>"
    return f"<td>{value:.4g}</td>" if isinstance(value, float) else f"<td>{value}</td>"
