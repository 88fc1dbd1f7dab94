"""Stage ablation_jacobians: differentiate a sample of the steps of one rollout store in several ways."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynamic_sparsity.runtime.jax_setup import configure_jax, in_precision
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.settings.ablation import AblationJacobianStage
from dynamic_sparsity.settings.jacobians import JacobianSettings
from dynamic_sparsity.stages import _common, _inputs, _replay
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import episodes_of, identity_of
from dynamic_sparsity.stores.schema import EPISODE, TIME, labels, padded
from dynamic_sparsity.stores.writing import EpisodeWriter

if TYPE_CHECKING:  # jax is configured before it is imported
    from dynamic_sparsity.simulation.tasks import Task


def main() -> None:
    """Parse, then read, differentiate and write the episodes. One episode is in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--rollout", required=True, type=Path)
    arguments = options.parse_args()
    stage = AblationJacobianStage.model_validate_json(arguments.settings)
    rollout = _inputs.open_input(stage, arguments.rollout, "rollouts")
    attrs = provenance("ablation_jacobians", stage.model_dump(), **identity_of(rollout))
    episodes = rollout.sizes[EPISODE]
    steps = min(stage.ablation.steps or rollout.sizes[TIME], rollout.sizes[TIME])
    with EpisodeWriter(arguments.output, episodes, attrs) as writer:
        configure_jax(threads=arguments.threads, double_precision=True)

        from dynamic_sparsity.simulation.transition import recorded_of

        task = rollout.attrs["task"]
        ways = {way: _differentiator(way, task) for way in stage.ablation.ways}
        prove = _replay.prover(arguments.rollout, rollout)
        episodes_read = progress(episodes_of(rollout), total=episodes, label=f"ways to differentiate {task}")
        for number, episode in enumerate(episodes_read):
            length = int(episode.length)
            chosen = np.unique(np.linspace(0, length - 1, min(steps, length)).astype(np.int32))
            if prove:
                prove(*recorded_of(episode), number)
            sample = episode.isel({TIME: chosen})
            writer.write(_by_all_ways(sample, ways, steps).assign(step=(TIME, padded(chosen, steps))))


def _differentiator(way: str, task_name: str) -> Callable[[xr.Dataset, int], xr.Dataset]:
    """A function that differentiates an episode in one way, in the precision of that way."""
    from dynamic_sparsity.simulation.differentiate import Differentiator, jacobian_dataset
    from dynamic_sparsity.simulation.transition import recorded_of

    chosen = JacobianSettings.of_variant(way)
    with in_precision(double=chosen.precision == "float64"):
        task = _loaded(task_name, chosen.precision)
        differentiate = Differentiator(task, chosen.method, chosen.solver)

    def dataset(episode: xr.Dataset, steps: int) -> xr.Dataset:
        start, after = recorded_of(episode)
        with in_precision(double=chosen.precision == "float64"):
            return jacobian_dataset(differentiate(start), after, task, steps)

    return dataset


@functools.cache
def _loaded(task_name: str, precision: str) -> Task:
    """The task, loaded once for each precision, because the arrays of its model have this precision."""
    from dynamic_sparsity.simulation.tasks import load_task

    del precision  # the caller has set it
    return load_task(task_name)


def _by_all_ways(episode: xr.Dataset, ways: dict[str, Callable[[xr.Dataset, int], xr.Dataset]], steps: int) -> xr.Dataset:
    """One Dataset with the dim `way`. Variables that do not depend on the way come from the first, of MJX's step."""
    datasets = [differentiate(episode, steps) for differentiate in ways.values()]
    unknown = xr.DataArray(np.full(steps, np.nan), dims=TIME)
    by_way = [
        xr.Dataset(
            {
                "jacobian": data.jacobian.astype(float),
                "step_difference": data.step_difference.astype(float),
                "roughness": data.get("roughness", unknown),
            }
        )
        for data in datasets
    ]
    jacobians = xr.concat(by_way, dim=xr.DataArray(labels(ways), dims="way", name="way"))
    shared = datasets[0][["constraint_active", "solver_converged", "length"]]
    jacobians.roughness.attrs["units"] = "1"
    return jacobians.merge(shared)


if __name__ == "__main__":
    _common.run(main)
