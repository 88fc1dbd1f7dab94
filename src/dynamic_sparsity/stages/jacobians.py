"""Stage jacobians: differentiate every recorded transition of one rollout store."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.progress import progress
from dynamic_sparsity.stages import _common, _inputs, _replay


def main() -> None:
    """Parse, read an episode, differentiate, write; one episode in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--rollout", required=True, type=Path)
    given = options.parse_args()
    stage = settings.JacobianStage.model_validate_json(given.settings)
    rollout = _inputs.open_input(stage, given.rollout, "rollouts")
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
        prove = _replay.prover(given.rollout, rollout)
        each = progress(stores.episodes_of(rollout), total=episodes, what=f"jacobians {task.name}")
        for number, episode in enumerate(each):
            start, after = recorded_of(episode)
            if prove:
                prove(start, after, number)
            writer.write(jacobian_dataset(differentiate(start), after, task, steps))


if __name__ == "__main__":
    _common.run(main)
