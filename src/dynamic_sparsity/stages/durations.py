"""Stage durations: how long each entry of one sparsity store stays zero or non-zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.progress import progress
from dynamic_sparsity.sparsity import durations
from dynamic_sparsity.stages import _common, _inputs


def main() -> None:
    """Parse, read an episode, find its runs, write; one episode in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--sparsity", required=True, type=Path)
    given = options.parse_args()
    runtime.claim_cores(given.threads)
    stage = settings.SparsityStage.model_validate_json(given.settings)
    sparsity = _inputs.open_input(stage, given.sparsity, "sparsity")
    attrs = stores.provenance("durations", stage.model_dump(), **stores.identity_of(sparsity))
    episodes, steps = sparsity.sizes[stores.EPISODE], sparsity.sizes[stores.TIME]
    masks = sparsity[["zero", "finite", "length"]]
    with stores.EpisodeWriter(given.output, episodes, attrs) as writer:
        for number, episode in enumerate(progress(stores.episodes_of(masks), total=episodes, what="durations")):
            runs = durations.durations(episode.zero, episode.finite)
            counts = durations.count_by_length(runs, steps).assign(runs=runs.sizes["run"], length=episode.length)
            runs["run_episode"] = xr.full_like(runs.run_length, np.int32(number))
            labels = episode[[]].assign_coords({name: episode[name] for name in (stores.OUT, stores.IN)})
            writer.write(xr.merge([counts, labels]), ragged=runs)


if __name__ == "__main__":
    _common.run(main)
