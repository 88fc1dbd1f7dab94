"""Stage structure: which entries can be non-zero by structure, and which position coordinates are symmetries."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.settings.structure import StructureStage
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, shift, write."""
    options = _common.parser(__doc__)
    options.add_argument("--rollouts", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    stage = StructureStage.model_validate_json(arguments.settings)
    rollouts = _inputs.open_inputs(stage, {"rollouts": arguments.rollouts})["rollouts"]
    configure_jax(threads=arguments.threads, double_precision=stage.jacobians.precision == "float64")

    from dynamic_sparsity.simulation.symmetry import structure_dataset
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(rollouts[0].attrs["task"])
    result = structure_dataset(rollouts, task, stage.structure, stage.jacobians)
    method = {"method": stage.jacobians.method, "variant": stage.jacobians.variant}
    result.attrs = provenance("structure", stage.model_dump(), **method, **identity_of(*rollouts))
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
