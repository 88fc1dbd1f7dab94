"""Stage sparsity: which entries of one Jacobian store are zero, and when."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.progress import progress
from dynamic_sparsity.sparsity import zeros
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read an episode, summarise, write; one episode in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobian", required=True, type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.SparsityStage.model_validate_json(given.settings)
    jacobian = _inputs.open_input(stage, given.jacobian, "jacobians")
    attrs = stores.provenance(
        "sparsity",
        stage.model_dump(),
        threshold=stage.sparsity.threshold,
        **stores.identity_of(jacobian),
    )
    episodes, steps = jacobian.sizes[stores.EPISODE], jacobian.sizes[stores.TIME]
    with stores.EpisodeWriter(given.output, episodes, attrs) as writer:
        for episode in progress(stores.episodes_of(jacobian), total=episodes, what="sparsity"):
            summary = zeros.summarise_episode(episode, stage.sparsity.threshold, stage.sparsity.thresholds)
            writer.write(zeros.pad_time(summary, steps))


if __name__ == "__main__":
    _common.run(main)
