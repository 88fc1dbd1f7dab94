"""Stage ablation: hold the Jacobians of one task and policy that were made in several ways against the truth."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, compare, write; one episode of all ways in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobian", required=True, nargs="+", type=Path, help="stores of ablation_jacobians, a seed each")
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.AblationStage.model_validate_json(given.settings)
    jacobians = _inputs.open_inputs(stage, {"ablation_jacobians": given.jacobian})["ablation_jacobians"]
    result = ablation.compare(jacobians, stage.ablation, stage.resampling)
    result.attrs = stores.provenance("ablation", stage.model_dump(), **stores.identity_of(*jacobians))
    stores.write_store(given.output, result)


if __name__ == "__main__":
    _common.run(main)
