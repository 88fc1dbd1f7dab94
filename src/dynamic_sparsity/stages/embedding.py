"""Stage embedding: t-SNE of the transitions of one task and policy over all seeds."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.sparsity import embedding
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, embed, write."""
    options = _common.parser(__doc__)
    options.add_argument("--rollouts", required=True, nargs="+", type=Path)
    options.add_argument("--sparsity", required=True, nargs="+", type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.EmbeddingStage.model_validate_json(given.settings)
    seeds = _inputs.open_inputs(stage, {"rollouts": given.rollouts, "sparsity": given.sparsity})
    result = embedding.embed(seeds["rollouts"], seeds["sparsity"], stage.embedding)
    identity = stores.identity_of(*seeds["sparsity"])
    result.attrs |= stores.provenance("embedding", stage.model_dump(), **identity)
    stores.write_store(given.output, result)


if __name__ == "__main__":
    _common.run(main)
