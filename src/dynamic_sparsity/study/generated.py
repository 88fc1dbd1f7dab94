"""Files that `make generate` writes from the catalogues and the settings. A test compares them with the files in git.

They are the JSON schema of config.yaml, the section `figures` of config.yaml, and the captions of the report.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.study.captions import caption
from dynamic_sparsity.study.catalogue import figures_of
from dynamic_sparsity.study.figure_settings import FigureSettings
from dynamic_sparsity.study.study import json_schema

WIDTH = 120
"""Characters in a line of text."""
_FIGURES = (
    "# Appearance of figures. A subsection affects only its own figure, although the job that draws it redraws others too.\n"
)


def files(root: Path) -> dict[Path, str]:
    """Path and content of every generated file of the project in `root`. Only the end of config.yaml is generated.

    Raises UserError if config.yaml lacks the line above which nothing is generated.
    """
    captions = root / "workflow/report/figures"
    config = root / "config.yaml"
    above, marker, _ = config.read_text().partition(_FIGURES)
    if not marker:
        raise UserError(f"{config} has no line {_FIGURES.strip()!r} above its section `figures`: put it there again")
    return {
        root / "workflow/schemas/config.schema.json": f"{json.dumps(json_schema(), indent=2)}\n",
        config: above + _FIGURES + "\n".join(["figures:", *_section(FigureSettings(), "  ")]) + "\n",
        **{captions / f"{name}.rst": _of_task(name) for name in figures_of("task", "embedded task")},
        captions.with_name("study_figure.rst"): _of_study(),
    }


def _section(section: BaseModel, indent: str) -> Iterator[str]:
    """Lines of YAML with a comment above each key."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield from _comment(field, indent)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _section(value, f"{indent}  ")
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _comment(field: FieldInfo, indent: str) -> list[str]:
    return textwrap.wrap(field.description or "", WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _scalar(value: Any) -> str:
    """A value as text that YAML 1.1 reads back as the same value: it takes a float without a point for text."""
    text = json.dumps(value)
    return text.replace("e-", ".0e-") if "e-" in text and "." not in text else text


def _of_task(name: str) -> str:
    run = " ".join(f"{key} {{{{ snakemake.wildcards.{key} }}}}," for key in ("task", "policy", "method")).rstrip(",")
    return f"{run[0].upper()}{run[1:]}.\n\n{caption(name)}\n"


def _of_study() -> str:
    """One template for all figures of a study, because one rule with the figure's name as a wildcard makes them all."""
    branches = [
        f'{{% {"elif" if number else "if"} snakemake.wildcards.figure == "{name}" %}}\n{caption(name)}\n'
        for number, name in enumerate(figures_of("study"))
    ]
    return "".join([*branches, "{% endif %}\n"])


if __name__ == "__main__":
    for path, content in files(Path.cwd()).items():
        path.write_text(content)
