"""Stage ablation: compare the Jacobians of one task and policy that were made in several ways."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.sparsity import ablation
from dynamic_sparsity.stages import _common, _inputs

_RUN = [name for name in stores.RUN if name not in ("method", "variant")]
"""What the stores of all ways say alike."""


def main() -> None:
    """Parse, read, compare, write; one episode of all ways in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobian", required=True, nargs="+", type=Path, help="stores of all ways and seeds")
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.AblationStage.model_validate_json(given.settings)
    jacobians = _inputs.open_inputs(stage, {"jacobians": given.jacobian}, run=_RUN)["jacobians"]
    ways = _by_way(jacobians, stage.ablation.compared)
    result = ablation.compare(ways, stage.ablation, stage.resampling)
    identity = stores.identity_of(*ways[ablation.REFERENCE])
    identity.pop("method", None)
    result.attrs = stores.provenance("ablation", stage.model_dump(), **identity)
    stores.write_store(given.output, result)


def _by_way(jacobians: list[xr.Dataset], compared: list[str]) -> dict[str, list[xr.Dataset]]:
    """The stores of each way; raises UserError unless each of the ways, and no other, is there in the same seeds."""
    seeds = sorted({data.attrs["seed"] for data in jacobians})
    ways = {variant: [data for data in jacobians if data.attrs["variant"] == variant] for variant in compared}
    for data in jacobians:
        if data.attrs["variant"] not in compared:
            raise UserError(
                f"{stores.source_of(data)} is of variant {data.attrs['variant']}, which ablation.variants does not list:"
                f" give stores of {', '.join(compared)}"
            )
    for variant, same in ways.items():
        if (present := [data.attrs["seed"] for data in same]) != seeds:
            raise UserError(
                f"Jacobians by {variant} are there in seeds {present}, others in {seeds}: give each in every seed"
            )
    return ways


if __name__ == "__main__":
    _common.run(main)
