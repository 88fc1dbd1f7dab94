"""Stage figure: the figures of one task and policy, or one figure of the study, as PNG and SVG."""

from __future__ import annotations

import importlib
from pathlib import Path

from dynamic_sparsity.figures import style
from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.figures import FigureStage
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, draw, write."""
    options = _common.parser(__doc__, several=True)
    options.add_argument("--stores", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = FigureStage.model_validate_json(arguments.settings)
    style.configure(stage.style)
    opened = _inputs.open_upstream(stage.upstream, arguments.stores)
    for png in arguments.output:
        _common.say_of(png)
        name = png.stem.partition("-")[0]
        request = stage.figures[name]
        stores = [store for kind in request.reads for store in opened if store.attrs["kind"] == kind]
        data = sorted(stores, key=lambda store: store.attrs.get("seed", 0))
        figure = importlib.import_module(f"dynamic_sparsity.figures.{name}")
        style.save(figure.draw(data, **request.settings), png, png.with_suffix(".svg"), stage.style)


if __name__ == "__main__":
    _common.run(main)
