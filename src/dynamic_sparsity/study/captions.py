"""Captions of figures, read from the docstrings of their modules without importing them."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

_FIGURES = Path(__file__).resolve().parents[1] / "figures"


@functools.cache
def caption(figure: str) -> str:
    """A figure's caption: the docstring of its module, which says what is drawn and how to read it."""
    return ast.get_docstring(ast.parse((_FIGURES / f"{figure}.py").read_bytes())) or ""


def title(figure: str) -> str:
    """The first line of a figure's caption, which is also its comment in config.yaml."""
    return caption(figure).partition("\n")[0]
