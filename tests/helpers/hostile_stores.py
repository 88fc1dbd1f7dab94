"""A store that a test changes: copied, given the digests of its changed files, and read in every way."""

import contextlib
import json
import shutil
from pathlib import Path

from dynamic_sparsity.stores.digests import files_of, sha256
from dynamic_sparsity.stores.metadata import DIGESTS
from dynamic_sparsity.stores.runs import episodes_of, identity_of
from dynamic_sparsity.stores.untrusted import open_untrusted
from dynamic_sparsity.stores.verification import verify_store
from tests.helpers.hostile import (
    SECRET,
    answer,
    check_message,
    command,
    directory,
)
from tests.helpers.stores import change


@contextlib.contextmanager
def a_copy(store):
    """A copy of a store in a temporary directory, beside a file that nothing may read."""
    with directory() as path:
        (path / SECRET).write_text("unread")
        yield Path(shutil.copytree(store, path / "s.zarr"))


def seal(store):
    """Write the digests of the files as they are, as the writer does; returns the store."""
    digests = {str(file.relative_to(store)): sha256(file) for file in files_of(store)}
    del digests["zarr.json"]
    change(store / "zarr.json", f"attributes.{DIGESTS}", json.dumps(digests))
    return store


def use_all_ways(store):
    """Open, verify and inspect a store. Returns the dataset if all of it can be read, else None."""
    dataset = answer(store, lambda: open_untrusted(store))
    problems = answer(store, lambda: verify_store(store))
    assert problems is not None and (dataset is not None or problems)
    for problem in problems:
        check_message(problem, store)
    assert (command(store, "inspect", str(store)) is None) == (dataset is not None)
    if dataset is None or dataset.attrs["kind"] != "jacobians":
        return None
    assert identity_of(dataset)["seed"] == identity_of(dataset, dataset)["seeds"][0]
    episodes = answer(store, lambda: list(episodes_of(dataset)))
    return dataset if episodes is not None and not problems else None
