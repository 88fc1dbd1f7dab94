"""Stage ablation: compare the Jacobians of one task and policy, computed in several ways, with central differences."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.ablation import AblationStage
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, compare, write. One episode, differentiated in all ways, is in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument(
        "--jacobian", required=True, nargs="+", type=Path, help="stores of stage ablation_jacobians, one per study seed"
    )
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = AblationStage.model_validate_json(arguments.settings)
    jacobians = _inputs.open_inputs(stage, {"ablation_jacobians": arguments.jacobian})["ablation_jacobians"]
    result = ablation.compare(jacobians, stage.ablation, stage.resampling)
    result.attrs = provenance("ablation", stage.model_dump(), **identity_of(*jacobians))
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
