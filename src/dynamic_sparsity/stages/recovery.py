"""Stage recovery: score the sparsity that world models of one task and policy recover, next to controls."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.world_models import WorldModelStage
from dynamic_sparsity.sparsity.resampling import with_intervals
from dynamic_sparsity.stages import _common, _world_models
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.schema import labels
from dynamic_sparsity.stores.writing import write_store
from dynamic_sparsity.world_models import recovery
from dynamic_sparsity.world_models.data import Transitions


def main() -> None:
    """Parse, read, score, write."""
    options = _common.parser(__doc__)
    _world_models.add_inputs(options)
    options.add_argument("--model", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = WorldModelStage.model_validate_json(arguments.settings)
    seeds = _world_models.open_inputs(stage, arguments, world_models=arguments.model)
    models = seeds["world_models"]
    _world_models.check_complete(models)
    data = Transitions.of_stores(seeds["rollouts"], seeds["jacobians"], seeds["sparsity"], change=False)
    scored = recovery.scores_of_all(models, data, seeds["sparsity"], stage.world_models)
    by_seed = [xr.concat(of_seed, dim="model") for of_seed in zip(*scored.values(), strict=True)]
    by_seed = [of_seed.assign_coords(model=list(scored)) for of_seed in by_seed]
    training_seeds = sorted({data.attrs["training_seed"] for data in models})
    tested = recovery.tested(data, stage.world_models, training_seeds)
    result = xr.merge(
        [with_intervals(by_seed, stage.resampling), recovery.of_each_seed(by_seed, tested.novel_share), tested]
    ).assign_coords(model=labels(scored), training_seed=training_seeds)
    result["history"] = recovery.histories(models, list(scored), training_seeds)
    ended = {f"{data.attrs['model']}/{data.attrs['training_seed']}": data.attrs["ended"] for data in models}
    identity = _world_models.identity_of(seeds["sparsity"])
    identity["simulator_versions"] = {**models[0].attrs["simulator_versions"], **identity["simulator_versions"]}
    result.attrs = {"ended": ended, **provenance("recovery", stage.model_dump(), **identity)}
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
