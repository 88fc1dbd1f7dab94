"""Stage jacobians: differentiate every recorded transition of one rollout store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.progress import progress
from dynamic_sparsity.stages import _common

if TYPE_CHECKING:  # jax is configured before it is imported
    from dynamic_sparsity.simulation.transition import NextState, Recorded


def main() -> None:
    """Parse, read an episode, differentiate, write; one episode in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--rollout", required=True, type=Path)
    given = options.parse_args()
    stage = settings.JacobianStage.model_validate_json(given.settings)
    rollout = stores.open_store(given.rollout, "rollouts")
    attrs = stores.provenance(
        "jacobians",
        stage.model_dump(),
        method=stage.jacobians.method,
        solver=stage.jacobians.solver,
        variant=stage.jacobians.variant,
        **stores.identity_of(rollout),
    )
    episodes, steps = rollout.sizes[stores.EPISODE], rollout.sizes[stores.TIME]
    with stores.EpisodeWriter(given.output, episodes, attrs) as writer:  # first: it is refused to a second writer
        double_precision = stage.jacobians.precision == "float64"
        runtime.configure_jax(threads=given.threads, double_precision=double_precision, accelerator=True)

        from dynamic_sparsity.simulation.differentiate import Differentiator, jacobian_dataset
        from dynamic_sparsity.simulation.rollout import recorded_of
        from dynamic_sparsity.simulation.tasks import load_task

        task = load_task(rollout.attrs["task"])
        differentiate = Differentiator(task, stage.jacobians.method, stage.jacobians.solver)
        prove = _prover(given.rollout, rollout)
        each = progress(stores.episodes_of(rollout), total=episodes, what=f"jacobians {task.name}")
        for number, episode in enumerate(each):
            start, after = recorded_of(episode)
            if prove:
                prove(start, after, number)
            writer.write(jacobian_dataset(differentiate(start), after, task, steps))


def _prover(path: Path, rollout: xr.Dataset) -> Callable[[Recorded, NextState, int], object] | None:
    """What proves that the recorded steps of an episode replay; None where the store's own proof holds. Says which."""
    from dynamic_sparsity.simulation.proof import doubt

    task = rollout.attrs["task"]
    if (reason := doubt(path, rollout.attrs)) is None:
        print(f"{task}: every recorded step replays, as was proved when it was recorded", flush=True)
        return None
    print(f"{task}: proving again that every recorded step replays: {reason}", flush=True)
    from dynamic_sparsity.simulation.replay import Replayer

    return Replayer(task).prove


if __name__ == "__main__":
    _common.run(main)
