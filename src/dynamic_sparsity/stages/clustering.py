"""Stage clustering: null models of the zero series of one task and policy over all study seeds."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.temporal import TemporalStage
from dynamic_sparsity.sparsity.clustering.summary import summarise
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, summarise, write. The series of the entries that switch are in memory together."""
    options = _common.parser(__doc__)
    options.add_argument("--sparsity", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = TemporalStage.model_validate_json(arguments.settings)
    seeds = _inputs.open_inputs(stage, {"sparsity": arguments.sparsity})["sparsity"]
    result = summarise(seeds, stage.temporal, stage.resampling)
    result.attrs = provenance("clustering", stage.model_dump(), **identity_of(*seeds))
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
