"""Stage world_models: train one world model of one task and policy, and record its predictions for test episodes."""

from __future__ import annotations

import xarray as xr

from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelStage
from dynamic_sparsity.stages import _common, _world_models
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.schema import IN, OUT
from dynamic_sparsity.stores.writing import write_store
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree


def main() -> None:
    """Parse, read, train, evaluate, write."""
    options = _common.parser(__doc__)
    _world_models.add_inputs(options)
    options.add_argument("--seed", required=True, type=int)
    arguments = options.parse_args()
    stage = WorldModelStage.model_validate_json(arguments.settings)
    configure_jax(threads=arguments.threads, large_batches=True, accelerator=True)

    from dynamic_sparsity.world_models import report

    seeds = _world_models.open_inputs(stage, arguments)
    checkpoint = arguments.output.with_suffix(".checkpoint")  # not in the store, which Snakemake removes before a job
    ((name, model),) = stage.world_models.models.items()
    tree = _tree(model, seeds["sparsity"][0])
    result = report.trained_and_evaluated(model, stage.world_models, seeds, tree, arguments.seed, checkpoint)
    identity = {**_world_models.identity_of(seeds["sparsity"]), "model": name, "training_seed": arguments.seed}
    result.attrs |= provenance("world_models", stage.model_dump(), **identity)
    write_store(arguments.output, result)
    checkpoint.unlink(missing_ok=True)


def _tree(model: WorldModelSettings, sparsity: xr.Dataset) -> KinematicTree:
    """The task's kinematic tree if the network reads it, else a stand-in: importing the simulator takes seconds."""
    from dynamic_sparsity.world_models.networks import reads_tree

    if not reads_tree(model):
        return KinematicTree.of_one_body(sparsity.sizes[IN], sparsity.sizes[OUT])
    from dynamic_sparsity.simulation.kinematics import kinematic_tree
    from dynamic_sparsity.simulation.tasks import load_task

    return kinematic_tree(load_task(sparsity.attrs["task"]).model)


if __name__ == "__main__":
    _common.run(main)
