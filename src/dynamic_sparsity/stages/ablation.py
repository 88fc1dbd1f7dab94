"""Stage ablation: compare the Jacobians of one task and policy that were made in several ways."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.stages import _common


def main() -> None:
    """Parse, read, compare, write; one episode of all ways in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobian", required=True, nargs="+", type=Path, help="stores of all ways and seeds")
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.AblationStage.model_validate_json(given.settings)
    jacobians = stores.open_seeds(given.jacobian, "jacobians")
    ways = {variant: [data for data in jacobians if data.attrs["variant"] == variant] for variant in stage.ablation.compared}
    result = ablation.compare(ways, stage.ablation, stage.resampling)
    identity = stores.identity_of(*ways[ablation.REFERENCE])
    identity.pop("method", None)
    result.attrs = stores.provenance("ablation", stage.model_dump(), **identity)
    stores.write_store(given.output, result)


if __name__ == "__main__":
    _common.run(main)
