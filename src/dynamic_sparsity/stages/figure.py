"""Stage figure: one figure of one task and policy, as PNG and SVG."""

from __future__ import annotations

import importlib
from pathlib import Path

from dynamic_sparsity import figure_settings, runtime
from dynamic_sparsity.figures import style
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, draw, write."""
    options = _common.parser(__doc__)
    options.add_argument("--figure", required=True, help="name of a module in dynamic_sparsity.figures")
    options.add_argument("--stores", required=True, nargs="+", type=Path)
    options.add_argument("--svg", required=True, type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = figure_settings.FigureStage.model_validate_json(given.settings)
    section = type(getattr(figure_settings.FigureSettings(), given.figure)).model_validate(stage.figure)
    figure = importlib.import_module(f"dynamic_sparsity.figures.{given.figure}")
    style.configure(stage.style)
    opened = _inputs.open_upstream(stage.upstream, given.stores)
    data = sorted(opened, key=lambda store: store.attrs.get("seed", 0))
    style.save(figure.draw(data, section), given.output, given.svg, stage.style)


if __name__ == "__main__":
    _common.run(main)
