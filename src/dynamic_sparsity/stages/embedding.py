"""Stage embedding: t-SNE of the transitions of one task and policy over all study seeds."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.settings.embedding import EmbeddingStage
from dynamic_sparsity.sparsity import embedding
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import identity_of
from dynamic_sparsity.stores.writing import write_store


def main() -> None:
    """Parse, read, embed, write."""
    options = _common.parser(__doc__)
    options.add_argument("--rollouts", required=True, nargs="+", type=Path)
    options.add_argument("--sparsity", required=True, nargs="+", type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = EmbeddingStage.model_validate_json(arguments.settings)
    seeds = _inputs.open_inputs(stage, {"rollouts": arguments.rollouts, "sparsity": arguments.sparsity})
    result = embedding.embed(seeds["rollouts"], seeds["sparsity"], stage.embedding)
    identity = identity_of(*seeds["sparsity"])
    result.attrs |= provenance("embedding", stage.model_dump(), **identity)
    write_store(arguments.output, result)


if __name__ == "__main__":
    _common.run(main)
