"""Stage interventions: repeat sampled steps of one task and policy with one input moved, and summarise what changes."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.settings.interventions import InterventionStage
from dynamic_sparsity.sparsity import interventions
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, repeat steps, summarise, write."""
    options = _common.parser(__doc__)
    options.add_argument("--rollouts", required=True, nargs="+", type=Path)
    options.add_argument("--jacobians", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    stage = InterventionStage.model_validate_json(arguments.settings)
    seeds = _inputs.open_inputs(stage, {"rollouts": arguments.rollouts, "jacobians": arguments.jacobians})
    configure_jax(threads=arguments.threads, double_precision=True)

    from dynamic_sparsity.simulation.interventions import repeated_with_moves

    effects = repeated_with_moves(seeds["rollouts"], seeds["jacobians"], stage.interventions, stage.jacobians.solver)
    result = interventions.summarise(effects, stage.sparsity.threshold, stage.interventions, stage.resampling)
    identity = {**identity_of(*seeds["jacobians"]), "threshold": stage.sparsity.threshold}
    result.attrs = provenance("interventions", stage.model_dump(), **identity)
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
