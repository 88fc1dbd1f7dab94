"""Stage durations: how long each entry of one sparsity store stays zero or non-zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from dynamic_sparsity.runtime.cores import claim_cores
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.settings.sparsity import SparsityStage
from dynamic_sparsity.sparsity import durations
from dynamic_sparsity.stages import _common, _inputs
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.runs import episodes_of, identity_of
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT, TIME
from dynamic_sparsity.stores.writing import EpisodeWriter


def main() -> None:
    """Parse, then read the episodes, find their runs and write them. One episode is in memory at a time."""
    options = _common.parser(__doc__)
    options.add_argument("--sparsity", required=True, type=Path)
    arguments = options.parse_args()
    claim_cores(arguments.threads)
    stage = SparsityStage.model_validate_json(arguments.settings)
    sparsity = _inputs.open_input(stage, arguments.sparsity, "sparsity")
    attrs = provenance("durations", stage.model_dump(), **identity_of(sparsity))
    episodes, steps = sparsity.sizes[EPISODE], sparsity.sizes[TIME]
    masks = sparsity[["zero", "finite", "length"]]
    with EpisodeWriter(arguments.output, episodes, attrs) as writer:
        for number, episode in enumerate(progress(episodes_of(masks), total=episodes, label="durations")):
            runs = durations.durations(episode.zero, episode.finite)
            counts = durations.count_by_length(runs, steps).assign(runs=runs.sizes["run"], length=episode.length)
            runs["run_episode"] = xr.full_like(runs.run_length, np.int32(number))
            labels = episode[[]].assign_coords({name: episode[name] for name in (OUT, IN)})
            writer.write(xr.merge([counts, labels]), ragged=runs)


if __name__ == "__main__":
    _common.run(main)
