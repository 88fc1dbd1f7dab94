"""Stage horizons: how far zeros carry, and what objects do not depend on, of one task and policy over all study seeds."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.horizons import HorizonStage
from dynamic_sparsity.sparsity import horizons
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, multiply, write. The Jacobians of one episode are in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobians", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = HorizonStage.model_validate_json(arguments.settings)
    seeds = _inputs.open_inputs(stage, {"jacobians": arguments.jacobians})["jacobians"]
    result = horizons.summarise(seeds, stage.sparsity.threshold, stage.horizons, stage.resampling)
    result.attrs = provenance("horizons", stage.model_dump(), threshold=stage.sparsity.threshold, **identity_of(*seeds))
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
