"""Stage table: one table of the study, as a CSV file and as an HTML page."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd

from dynamic_sparsity.files.whole import whole
from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.tables import TableStage
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.tables import page


def main() -> None:
    """Parse, read, build, write."""
    options = _common.parser(__doc__)
    options.add_argument("--table", required=True, help="name of a module in dynamic_sparsity.tables")
    options.add_argument("--paper", required=True, nargs="*", type=Path, help="CSV files of reported numbers")
    options.add_argument("--stores", required=True, nargs="+", type=Path)
    options.add_argument("--html", required=True, type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = TableStage.model_validate_json(arguments.settings)
    table = importlib.import_module(f"dynamic_sparsity.tables.{arguments.table}")
    reported = {path.stem: pd.read_csv(path) for path in arguments.paper}
    opened = _inputs.open_upstream(stage.upstream, arguments.stores)
    # Pooled stores are small and read value by value, so load them whole. Rollouts may be larger than memory.
    frame = table.build([data if data.attrs["kind"] == "rollouts" else data.load() for data in opened], reported)
    sentences = table.sentences(frame) if hasattr(table, "sentences") else []
    with whole(arguments.output, arguments.html) as (csv, html):
        frame.to_csv(csv, index=False)
        html.write_text(page.render(frame, table.__doc__ or "", sentences))


if __name__ == "__main__":
    _common.run(main)
