"""Stage frames: rendered frames along the sequence of an embedding. The store is empty if no renderer works."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime import rendering
from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.settings.frames import FrameStage
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, render, write."""
    options = _common.parser(__doc__)
    options.add_argument("--rollout", required=True, type=Path, help="rollouts of the first study seed")
    options.add_argument("--embedding", required=True, type=Path)
    arguments = options.parse_args()
    stage = FrameStage.model_validate_json(arguments.settings)
    inputs = _inputs.open_inputs(stage, {"rollouts": [arguments.rollout], "embedding": [arguments.embedding]})
    rollout, embedded = inputs["rollouts"][0], inputs["embedding"][0]
    back_end = rendering.choose_back_end()
    configure_jax(threads=arguments.threads)

    from dynamic_sparsity.simulation.frames import frames_along
    from dynamic_sparsity.simulation.tasks import load_task

    task, first = load_task(rollout.attrs["task"]), next(episodes_of(rollout))
    sequence = embedded.step.values[embedded.sequence.values >= 0]
    result = frames_along(task, first, sequence, stage.frames, back_end)
    identity = {name: embedded.attrs[name] for name in ("task", "policy", "method", "simulator_versions")}
    result.attrs = provenance("frames", stage.model_dump(), **identity, renderer=back_end or "none")
    write_store(arguments.output, result)
    print(f"rendered with {back_end}" if back_end else "no frames: neither EGL nor OSMesa renders on this machine")


if __name__ == "__main__":
    _common.run(main)
