"""Stores to write, read and damage."""

import json

import numpy as np
import xarray as xr

from dynamic_sparsity.stores.digests import files_of
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.schema import labels
from dynamic_sparsity.stores.writing import EpisodeWriter
from tests.helpers.hostile import GONE


def an_episode(number, steps=5):
    rng = np.random.default_rng(number)
    return xr.Dataset(
        {
            "jacobian": (("time", "out_dim", "in_dim"), rng.normal(size=(steps, 4, 6))),
            "done": (("time",), rng.random(steps) < 0.5),
            "length": ((), np.int32(steps - number % 2)),
            "nothing": (("time", "activation"), np.zeros((steps, 0), np.float32)),
        },
        coords={"out_dim": labels("abcd"), "in_dim": labels("abcdef"), "activation": labels([])},
    )


def about(kind="jacobians", **settings):
    identity = {"task": "T", "policy": "p", "seed": 4, "method": "unrolled", "variant": "unrolled"}
    return provenance(kind, settings, **identity)


def write(path, episodes=3):
    attributes = about(a=1)
    with EpisodeWriter(path, episodes, attributes) as writer:
        for number in range(episodes):
            writer.write(an_episode(number))


def chunk_of(path):
    return next(file for file in files_of(path / "jacobian") if "c" in file.relative_to(path).parts)


def change(path, key, value):
    """Sets or deletes (GONE) one entry of a `zarr.json`, named by its dotted path."""
    document = json.loads(path.read_text())
    *outer, last = key.split(".")
    inner = document
    for part in outer:
        inner = inner[int(part) if part.isdigit() else part]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(document))
