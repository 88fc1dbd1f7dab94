"""The documentation's site: the Markdown files where they lie, and the API from docstrings. `make docs` builds it.

The source directory is the repository, so that links between README.md, docs/ and resources/ work on the site as they do
in the repository. The API is read from the source as text: the package is not imported and need not be installed.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from astroid.manager import AstroidManager
from sphinx.errors import SphinxError

ROOT = Path(__file__).resolve().parents[1]

project = "Dynamic Sparsity"
author = copyright = "The Dynamic Sparsity maintainers"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "autoapi.extension"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "docs/api/**.rst", "resources/**.md"]
exclude_patterns = ["docs/_build", ".*", "results", "tests", "workflow", "envs", "src"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"Dynamic Sparsity {release}"
html_copy_source = False
templates_path = ["_templates"]

autoapi_dirs = [str(ROOT / "src" / "dynamic_sparsity")]
autoapi_root = "docs/api"
autoapi_template_dir = str(ROOT / "docs" / "_templates" / "autoapi")
autoapi_add_toctree_entry = False
autoapi_options = ["members", "undoc-members", "show-inheritance"]
autoapi_member_order = "bysource"
add_module_names = False
toc_object_entries_show_parents = "hide"
default_role = "code"  # docstrings write code in single backticks
suppress_warnings = [
    "autoapi.python_import_resolution",  # AutoAPI does not see constants that are assigned as a tuple
    "ref.python",  # names of dimensions in jaxtyping's annotations look like names of objects
]
# Other packages are not read to resolve what is imported from them: it would double the build's time.
AstroidManager().module_denylist |= {
    "brax",
    "jax",
    "jax.numpy",
    "jaxtyping",
    "matplotlib",
    "matplotlib.pyplot",
    "mujoco",
    "mujoco_playground",
    "numpy",
    "pandas",
    "pydantic",
    "scipy",
    "sklearn",
    "xarray",
    "zarr",
}

NAVIGATION = {
    "README": """
```{toctree}
:hidden:
:glob:
:caption: The study

docs/method
docs/glossary
docs/*
```

```{toctree}
:hidden:
:caption: Reference

docs/api/dynamic_sparsity/index
resources/policies/README
resources/paper/README
docs/decisions/README
```

```{toctree}
:hidden:
:caption: The project

CONTRIBUTING
CHANGELOG
SECURITY
```
""",
    "docs/decisions/README": """
```{toctree}
:glob:
:maxdepth: 1

0*
```
""",
}
"""What the site adds to pages that are also read on their own, where a toctree would be noise."""

_CODE = re.compile(r"(`[^`]+`)")
_REMOTE = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^"']*|@import[^;]*//""")


def _plain_text(_app, _kind, _name, _object, _options, lines: list[str]) -> None:
    """Docstrings are plain text: escape what reStructuredText would take for markup, outside of code."""
    for number, line in enumerate(lines):
        parts = _CODE.split(line)
        parts[::2] = [re.sub(r"([*_|\\])", r"\\\1", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def _with_navigation(_app, document: str, source: list[str]) -> None:
    source[0] += NAVIGATION.get(document, "")


def _refuse_remote_files(app, exception: Exception | None) -> None:
    """Fail where a page would load a style, a script, a font or an image from another host."""
    if exception is None:
        for page in [*Path(app.outdir).rglob("*.html"), *Path(app.outdir).rglob("*.css")]:
            if found := _REMOTE.search(page.read_text()):
                raise SphinxError(f"{page} loads a file from another host: {found.group()}")


def _copy_front_page(app, exception: Exception | None) -> None:
    """Makes index.html, which web servers show first, the page of README.md."""
    if exception is None:
        shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app) -> None:
    """Connect the hooks."""
    app.connect("autodoc-process-docstring", _plain_text)
    app.connect("source-read", _with_navigation)
    app.connect("build-finished", _refuse_remote_files)
    app.connect("build-finished", _copy_front_page)
