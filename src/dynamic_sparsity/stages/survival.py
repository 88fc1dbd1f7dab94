"""Stage survival: durations of one task and policy over all seeds, with intervals."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.sparsity import durations, survival
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read, summarise, write."""
    options = _common.parser(__doc__)
    options.add_argument("--sparsity", required=True, nargs="+", type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.PooledStage.model_validate_json(given.settings)
    seeds = _inputs.open_inputs(stage, {"sparsity": given.sparsity})["sparsity"]
    counts = [durations.counts_of(seed) for seed in seeds]
    resampling = stage.resampling
    result = survival.summarise(counts, resampling.resamples, resampling.confidence, resampling.seed)
    result.attrs = stores.provenance("survival", stage.model_dump(), **stores.identity_of(*seeds))
    stores.write_store(given.output, result)


if __name__ == "__main__":
    _common.run(main)
