"""Which package files a module imports, directly or not: read from the source, nothing is executed."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

SIMULATOR = ("jax", "jaxlib", "mujoco", "mujoco-mjx", "playground")
"""Packages of others whose versions may change what a step computes (docs/decisions/0010-inputs-agree.md)."""
_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = __name__.partition(".")[0]


def closure(*modules: str, root: Path = _ROOT) -> list[Path]:
    """Files of this package that running `modules` reads, themselves and their packages included, sorted.

    Every import statement counts, wherever it stands (in a function, under a condition).
    `root` is the directory that holds the package; raises ModuleNotFoundError for an unknown module.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = _file_of(waiting.pop(), root)
        if path in found:
            continue
        found.add(path)
        waiting.extend(_imported_modules(path, root))
    return sorted(found)


def digest(*modules: str, root: Path = _ROOT) -> str:
    """SHA-256 of the contents of `closure(*modules)`: changes when any file that they use does."""
    total = hashlib.sha256()
    for path in closure(*modules, root=root):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _file_of(module: str, root: Path) -> Path:
    stem = root.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    raise ModuleNotFoundError(f"no module {module!r} under {root}")


def _imported_modules(path: Path, root: Path) -> tuple[str, ...]:
    return _parse(path, path.stat().st_mtime_ns, root)


@cache
def _parse(path: Path, _mtime: int, root: Path) -> tuple[str, ...]:
    relative = path.relative_to(root).with_suffix("").parts
    is_package = relative[-1] == "__init__"
    package = relative[:-1]
    names: set[str] = {".".join(package[:depth]) for depth in range(1, len(package) + 1)}
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            names |= {prefix for alias in node.names for prefix in _prefixes(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            target = ".".join((*base, *(node.module or "").split("."))).strip(".")
            names |= {prefix for alias in node.names for prefix in _prefixes(f"{target}.{alias.name}")}
    own = ".".join(package) if is_package else ".".join(relative)
    return tuple(sorted(name for name in names if name != own and _is_ours(name, root)))


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def _is_ours(name: str, root: Path) -> bool:
    if name.partition(".")[0] != _PACKAGE:
        return False
    try:
        _file_of(name, root)
    except ModuleNotFoundError:
        return False
    return True
