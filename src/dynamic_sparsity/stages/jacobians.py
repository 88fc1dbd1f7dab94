"""Stage jacobians: differentiate every recorded transition of one rollout store."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.settings.jacobians import JacobianStage
from dynamic_sparsity.stages import _common, _inputs, _replay
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import episodes_of, identity_of
from dynamic_sparsity.stores.schema import EPISODE, TIME
from dynamic_sparsity.stores.writing import EpisodeWriter


def main() -> None:
    """Parse, then read, differentiate and write the episodes. One episode is in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--rollout", required=True, type=Path)
    arguments = options.parse_args()
    stage = JacobianStage.model_validate_json(arguments.settings)
    rollout = _inputs.open_input(stage, arguments.rollout, "rollouts")
    attrs = provenance(
        "jacobians",
        stage.model_dump(),
        method=stage.jacobians.method,
        solver=stage.jacobians.solver,
        variant=stage.jacobians.variant,
        **identity_of(rollout),
    )
    episodes, steps = rollout.sizes[EPISODE], rollout.sizes[TIME]
    with EpisodeWriter(arguments.output, episodes, attrs) as writer:  # before jax: a second writer is refused at once
        double_precision = stage.jacobians.precision == "float64"
        configure_jax(threads=arguments.threads, double_precision=double_precision, accelerator=True)

        from dynamic_sparsity.simulation.differentiate import Differentiator, jacobian_dataset
        from dynamic_sparsity.simulation.objects import with_groups
        from dynamic_sparsity.simulation.tasks import load_task
        from dynamic_sparsity.simulation.transition import recorded_of

        task = load_task(rollout.attrs["task"])
        differentiate = Differentiator(task, stage.jacobians.method, stage.jacobians.solver)
        prove = _replay.prover(arguments.rollout, rollout)
        episodes_read = progress(episodes_of(rollout), total=episodes, label=f"jacobians {task.name}")
        for number, episode in enumerate(episodes_read):
            start, after = recorded_of(episode)
            if prove:
                prove(start, after, number)
            writer.write(with_groups(jacobian_dataset(differentiate(start), after, task, steps), task.model))


if __name__ == "__main__":
    _common.run(main)
