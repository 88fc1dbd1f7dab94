"""Stage figure: figures of one task and policy, or one of all of them, as PNG and SVG; those that are up to date stay."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import xarray as xr

from dynamic_sparsity import figure_settings, runtime
from dynamic_sparsity.figures import style
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, draw what its files were not drawn from, write."""
    options = _common.parser(__doc__, several=True)
    options.add_argument("--code", required=True, type=json.loads, help="for each figure, the digest of what draws it")
    options.add_argument("--stores", required=True, nargs="+", type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = figure_settings.FigureStage.model_validate_json(given.settings)
    style.configure(stage.style)
    opened = _inputs.open_upstream(stage.upstream, given.stores)
    for png in given.output:
        _common.making(png)
        name = png.stem.partition("-")[0]
        figure, svg = stage.figures[name], png.with_suffix(".svg")
        read = [store for kind in figure.reads for store in opened if store.attrs["kind"] == kind]
        data = sorted(read, key=lambda store: store.attrs.get("seed", 0))
        source = _source(figure, stage.style, given.code[name], data)
        if style.drawn_from(png, svg) == source:
            print(f"{png} is what it would be drawn as")
            continue
        section = type(getattr(figure_settings.FigureSettings(), name)).model_validate(figure.settings)
        module = importlib.import_module(f"dynamic_sparsity.figures.{name}")
        style.save(module.draw(data, section), png, svg, stage.style, source)


def _source(
    figure: figure_settings.DrawnFigure, look: figure_settings.FigureStyle, code: str, data: Sequence[xr.Dataset]
) -> str:
    """A digest of all that a figure depends on: settings, code, matplotlib, what its stores are and hold."""
    read = [{name: value for name, value in store.attrs.items() if name != "git_commit"} for store in data]
    parts = [figure.model_dump(), look.model_dump(), code, matplotlib.__version__, read]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    _common.run(main)
