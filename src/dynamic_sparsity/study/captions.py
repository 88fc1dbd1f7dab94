"""Captions of figures and comments of config.yaml: the docstrings of the figures' modules, which are not imported."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

_FIGURES = Path(__file__).resolve().parents[1] / "figures"


@functools.cache
def caption(figure: str) -> str:
    """The docstring of a figure's module: one line that says what is drawn, and how to read it."""
    return ast.get_docstring(ast.parse((_FIGURES / f"{figure}.py").read_bytes())) or ""


def title(figure: str) -> str:
    """The first line of a figure's caption."""
    return caption(figure).partition("\n")[0]
