"""Finds the files of this package that a module imports, directly or not, and digests those that can change a result.

It parses the files and executes nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import NamedTuple

NO_RESULT = frozenset(
    f"dynamic_sparsity{module}"
    for module in (
        "",  # the version of this package
        ".errors",
        ".files.locks",
        ".files.whole",
        ".runtime.cache",
        ".runtime.cores",
        ".runtime.progress",
        ".runtime.sources",
        ".settings.networks",
        ".settings.policy_kinds",
        ".stages._common",
        ".stores.agreement",
        ".stores.comparison",
        ".stores.layout",
        ".stores.metadata",
        ".stores.opening",
        ".stores.reading",
        ".stores.verification",
        ".tasks.names",
    )
)
"""Modules that only validate, lock, print or do nothing: whatever their code, a stage that finishes gives the same
result. Modules that only these import cannot change a result either. A store's schema version says what its arrays
mean."""
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = __name__.partition(".")[0]


def closure(*modules: str, root: Path = _ROOT, without: Collection[str] = ()) -> list[Path]:
    """The files of this package that running `modules` reads, including their own and their packages', sorted.

    Every import statement counts, also inside a function or a condition. Modules in `without` are left out, and so are
    modules that only these import. `root` is the directory that holds the package. Raises ModuleNotFoundError for an
    unknown module.
    """
    paths: set[Path] = set()
    waiting = [module for module in modules if module not in without]
    while waiting:
        path = _file_of(waiting.pop(), root)
        if path in paths:
            continue
        paths.add(path)
        waiting.extend(module for module in _parsed(path, root).imported if module not in without)
    return sorted(paths)


def digest(*modules: str, root: Path = _ROOT) -> str:
    """SHA-256 of the code that decides what `modules` compute: the syntax trees of their closure without `NO_RESULT`.

    What only people read does not count (`_Silent`): comments, formatting, docstrings, messages of exceptions,
    descriptions of settings. The docstring of a table's module counts, because its page prints it.
    """
    total = hashlib.sha256()
    for path in closure(*modules, root=root, without=NO_RESULT):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + _parsed(path, root).code + b"\0")
    return total.hexdigest()


def _file_of(module: str, root: Path) -> Path:
    stem = root.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    raise ModuleNotFoundError(f"no module {module!r} under {root}")


class _Parsed(NamedTuple):
    imported: tuple[str, ...]
    """Names of the imported modules of this package."""
    code: bytes
    """The module without what only people read."""


def _parsed(path: Path, root: Path) -> _Parsed:
    return _parse(path, path.stat().st_mtime_ns, root)


@cache
def _parse(path: Path, _mtime: int, root: Path) -> _Parsed:
    relative = path.relative_to(root).with_suffix("").parts
    is_package = relative[-1] == "__init__"
    package = relative[:-1]
    names: set[str] = {".".join(package[:depth]) for depth in range(1, len(package) + 1)}
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {prefix for alias in node.names for prefix in _prefixes(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            target = ".".join((*base, *(node.module or "").split("."))).strip(".")
            names |= {prefix for alias in node.names for prefix in _prefixes(f"{target}.{alias.name}")}
    own_name = ".".join(package) if is_package else ".".join(relative)
    imported = tuple(sorted(name for name in names if name != own_name and _in_package(name, root)))
    printed = ast.get_docstring(tree) or "" if "tables" in package else ""
    return _Parsed(imported, f"{printed}\n{ast.unparse(_Silent().visit(tree))}".encode())


class _Silent(ast.NodeTransformer):
    """Removes what only people read: docstrings, messages of exceptions that are raised, descriptions and help texts."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._with_a_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._with_a_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._with_a_body(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg in ("description", "help") else self.generic_visit(node)

    def _with_a_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = [each for each in node.body if not isinstance(each, ast.Pass)] or [ast.Pass()]
        return node


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def _in_package(name: str, root: Path) -> bool:
    """Whether `name` is a module of this package."""
    if name.partition(".")[0] != _PACKAGE:
        return False
    try:
        _file_of(name, root)
    except ModuleNotFoundError:
        return False
    return True
