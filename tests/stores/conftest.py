"""A store that tests change."""

import pytest

from dynamic_sparsity.stores import bounded, untrusted
from dynamic_sparsity.stores.writing import EpisodeWriter
from tests.helpers.stores import about, an_episode


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound store, with bounds so low that an example takes no time."""
    path = tmp_path_factory.mktemp("stores") / "s.zarr"
    with EpisodeWriter(path, 3, about(a=1)) as writer:
        for number in range(3):
            writer.write(an_episode(number)[["jacobian", "length"]].drop_vars("activation", errors="ignore"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(untrusted, "_MOST_PIECES", 32)
        patch.setattr(untrusted, "_LARGEST_PIECE", 2**20)
        patch.setattr(untrusted, "_LARGEST_FILE", 2**22)
        patch.setattr(bounded, "_LARGEST_STRINGS", 2**16)
        patch.setattr(untrusted, "_LONGEST_INDEX", 2**10)
        yield path
