"""Stage sparsity: which entries of the Jacobians in one store are zero, and when."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.sparsity import zeros
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import episodes_of, identity_of
from dynamic_sparsity.stores.schema import EPISODE, TIME
from dynamic_sparsity.stores.writing import EpisodeWriter


def main() -> None:
    """Parse, then read, summarise and write the episodes. One episode is in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--jacobian", required=True, type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = SparsityStage.model_validate_json(arguments.settings)
    jacobian = _inputs.open_input(stage, arguments.jacobian, "jacobians")
    attrs = provenance(
        "sparsity",
        stage.model_dump(),
        threshold=stage.sparsity.threshold,
        **identity_of(jacobian),
    )
    episodes, steps = jacobian.sizes[EPISODE], jacobian.sizes[TIME]
    with EpisodeWriter(arguments.output, episodes, attrs) as writer:
        for episode in progress(episodes_of(jacobian), total=episodes, label="sparsity"):
            summary = zeros.summarise_episode(episode, stage.sparsity.threshold, stage.sparsity.thresholds)
            writer.write(zeros.pad_time(summary, steps))


if __name__ == "__main__":
    _common.run(main)
