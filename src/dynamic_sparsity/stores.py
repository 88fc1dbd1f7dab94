"""The only door between arrays in memory and Zarr on disk: dims, coords, attrs, chunks, atomic writes.

A store is an xarray Dataset in Zarr v3 without consolidated metadata. Chunks hold one episode with all of its
steps and entries; shards hold several. On disk time is the last axis: that compresses best (docs/stores.md).
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import operator
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, TransposeCodec

from dynamic_sparsity import __version__, layout, metadata
from dynamic_sparsity.digests import files_of, missing, sha256
from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.locks import check_not_refused, lock
from dynamic_sparsity.metadata import DIGESTS
from dynamic_sparsity.reading import DELETE, damaged, reading
from dynamic_sparsity.sources import SIMULATOR

SCHEMA_VERSION = 2
"""Raised when the arrays or attributes of a store change their meaning."""

EPISODE, TIME, OUT, IN, CONSTRAINT = "episode", "time", "out_dim", "in_dim", "constraint"
_SHARD_BYTES = 32 * 2**20
_RUN, _RAGGED_CHUNK = "run", 2**18
_LENGTH = "length"
_VARIABLES = {
    "rollouts": {"qpos": (EPISODE, TIME, "qpos_dim"), "qvel": (EPISODE, TIME, "dof"), _LENGTH: (EPISODE,)},
    "jacobians": {"jacobian": (EPISODE, TIME, OUT, IN), _LENGTH: (EPISODE,)},
    "ablation_jacobians": {"jacobian": (EPISODE, "way", TIME, OUT, IN), _LENGTH: (EPISODE,)},
    "sparsity": {**dict.fromkeys(("zero", "finite"), (EPISODE, TIME, OUT, IN)), _LENGTH: (EPISODE,)},
    "world_models": {"jacobian": (EPISODE, TIME, OUT, IN), _LENGTH: (EPISODE,)},
}
"""What every reader of these kinds takes for granted."""
_VERSIONED = (*SIMULATOR, "brax", "numpy", "xarray", "zarr")
SIMULATING = ("rollouts", "jacobians", "ablation_jacobians", "world_models")
"""Kinds of stores that are made with these packages; what is made of such a store says which versions made it."""
RUN = ("task", "policy", "method", "variant", "control_timestep", "substeps", "threshold")
"""Attributes that say what a store is of."""
_AS_TEXT = ("episode_seed",)
"""Numbers of 64 bits, which netCDF 3 does not have: written as decimal digits."""

# Snakemake leaves a time stamp inside a store, others hidden files; zarr would warn of them whenever it lists the group.
warnings.filterwarnings("ignore", message=r"Object at \.\S* is not recognized")


def provenance(kind: str, settings: dict[str, Any], **identity: Any) -> dict[str, Any]:
    """Attributes of a store: what it holds, the settings it was made with, and by which code.

    `simulator_versions`: of the packages in SIMULATOR, by the kind of store in SIMULATING that they made: those that
    `identity` brings along from the stores that this one is made of, and its own.
    """
    code = code_versions()
    own = {kind: {name: code["versions"][name] for name in SIMULATOR}} if kind in SIMULATING else {}
    return {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        **identity,
        "settings": json.dumps(settings, sort_keys=True),
        **code,
        "simulator_versions": {**identity.get("simulator_versions", {}), **own},
    }


def code_versions() -> dict[str, Any]:
    """Which code runs: this package's version and commit, and the versions of what it computes with."""
    return {
        "dynamic_sparsity_version": __version__,
        "git_commit": _git_commit(),
        "versions": {name: _version(name) for name in _VERSIONED},
    }


def labels(names: Iterable[str]) -> np.ndarray:
    """Names as an array of the string type that Zarr v3 specifies."""
    return np.array(list(names), dtype=np.dtypes.StringDType())


def padded(array: np.ndarray, steps: int) -> np.ndarray:
    """`array` (time first) to `steps` steps: NaN after the end for floats, 0 or False for the rest."""
    fill = np.nan if array.dtype.kind == "f" else 0
    end = np.full((steps - len(array), *array.shape[1:]), fill, dtype=array.dtype)
    return np.concatenate([array, end])


def is_store(path: Path) -> bool:
    """Whether there is a group at `path`, sound or not: neither an array inside a store nor any other directory."""
    try:
        found = layout.read_metadata(path / layout.ROOT)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, MemoryError):  # something is there; opening it says why it cannot be read
        return True
    except ValueError:  # metadata that was damaged
        return path.suffix == ".zarr"
    return isinstance(found, dict) and found.get("node_type") == "group"


def open_store(path: Path, kind: str | None = None) -> xr.Dataset:
    """Open a store lazily, whoever wrote it; attributes that are mappings are mappings again (`metadata.decoded`).

    Raises UserError when it is missing, unreadable, not of that kind and schema, or does not hold what it announces:
    its attributes are of the types of `metadata.StoreAttributes`, its arrays can be read without harm (`layout`), and what
    the kinds in `_VARIABLES` promise is there.
    """
    attributes = checked_attributes(path, kind)
    with reading(path):
        if DIGESTS in attributes and (gone := missing(path, attributes[DIGESTS])):  # zarr would make up what it holds
            raise UserError(damaged(path, gone[0]))
        layout.check_arrays(path)
        # Of Zarr v2, whose filters may unpickle, nothing is read, even where it stands beside the metadata of v3.
        dataset = xr.open_zarr(path, consolidated=False, zarr_format=3)
        dataset.attrs = attributes
        dataset.encoding["source"] = str(path)
        _check_variables(dataset)
        return dataset


def checked_attributes(path: Path, kind: str | None = None) -> dict[str, Any]:
    """The attributes of a store, decoded, once they are sound and all its files its own; no other file is read.

    Raises UserError, as `open_store` does.
    """
    if not is_store(path):
        raise UserError(f"{path} is not a store (no zarr.json of a group): make it with snakemake, or check the path")
    with reading(path):
        written = layout.read_metadata(path / layout.ROOT).get("attributes", {})
        if not isinstance(written, dict):
            raise ValueError(f"its attributes are {quoted(written)}")
        _check_kind(path, written, kind)
        attributes = metadata.decoded(written)
        model = metadata.ATTRIBUTES.get(str(attributes["kind"]), metadata.StoreAttributes)
        if wrong := metadata.problem(model, attributes):
            raise ValueError(f"it {wrong}")
        layout.check_files(path)
        return attributes


def _check_kind(path: Path, attributes: dict[str, Any], wanted: str | None) -> None:
    kind, schema = attributes.get("kind"), attributes.get("schema_version")
    if wanted in (None, kind) and type(schema) is int and schema == SCHEMA_VERSION:
        return
    remedy = DELETE if wanted in (None, kind) else "give one of the other kind"
    raise UserError(
        f"{path} holds {quoted(kind)} in schema version {quoted(schema)}, expected {quoted(wanted or kind)} in"
        f" {SCHEMA_VERSION}: {remedy}"
    )


def _check_variables(dataset: xr.Dataset) -> None:
    for name, dims in _VARIABLES.get(dataset.attrs["kind"], {}).items():
        if name not in dataset.variables:
            raise ValueError(f"it has no {name}")
        if dataset[name].dims != dims:
            raise ValueError(f"its {name} has the dims {quoted(dataset[name].dims)}, expected {', '.join(dims)}")
    if dataset.attrs["kind"] in _VARIABLES:
        length, steps = dataset[_LENGTH], dataset.sizes[TIME]
        if length.dtype.kind not in "iu" or ((length < 0) | (length > steps)).any():
            given = quoted(length.values.tolist())
            raise ValueError(f"its {_LENGTH} {given} ({length.dtype}) should be whole numbers of steps, from 0 to {steps}")


def source_of(dataset: xr.Dataset) -> Path:
    """Where a dataset was opened, for messages."""
    return Path(dataset.encoding.get("source", "a dataset in memory"))


def shared_identity(datasets: Sequence[xr.Dataset], names: Sequence[str] = RUN) -> dict[str, Any]:
    """What stores say of the run that all of them describe: the attributes in `names` that any of them has.

    Raises UserError naming two stores that do not say the same.
    """
    shared: dict[str, Any] = {}
    for name in names:
        saying = [dataset for dataset in datasets if name in dataset.attrs]
        for dataset in saying:
            value = shared.setdefault(name, dataset.attrs[name])
            if dataset.attrs[name] != value:
                raise UserError(
                    f"{source_of(dataset)} is of {name} {quoted(dataset.attrs[name])}, {source_of(saying[0])} of"
                    f" {quoted(value)}: give stores of one run, and delete one that was copied to the wrong place"
                )
    return shared


def identity_of(*datasets: xr.Dataset) -> dict[str, Any]:
    """What stores say of the run they describe, for the store that is made of them; several seeds become `seeds`.

    Raises UserError for stores of different runs.
    """
    made = [dataset.attrs.get("simulator_versions", {}) for dataset in datasets]
    shared = {
        **{name: value for name, value in shared_identity(datasets).items() if name != "variant"},
        "simulator_versions": functools.reduce(operator.or_, reversed(made)),
    }
    if len(datasets) == 1 and "seed" in datasets[0].attrs:
        return {**shared, "seed": datasets[0].attrs["seed"]}
    return {**shared, "seeds": [dataset.attrs["seed"] for dataset in datasets]}


def open_seeds(paths: Sequence[Path], kind: str) -> list[xr.Dataset]:
    """Open the stores of several seeds of one task and policy, in the order of their seeds; others in the order given."""
    return sorted((open_store(path, kind) for path in paths), key=lambda dataset: dataset.attrs.get("seed", 0))


def joined_runs(datasets: Iterable[xr.Dataset], *kinds: str) -> dict[tuple[str, str], tuple[xr.Dataset, ...]]:
    """The stores of these kinds of each (task, policy), in the order in which the first kind's come."""
    found = {(data.attrs["kind"], data.attrs["task"], data.attrs["policy"]): data for data in datasets}
    runs = [(task, policy) for kind, task, policy in found if kind == kinds[0]]
    return {run: tuple(found[kind, *run] for kind in kinds) for run in runs}


def episodes_of(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """Each episode, loaded, cut to its true length: one in memory at a time."""
    for number in range(dataset.sizes[EPISODE]):
        with reading(source_of(dataset)):
            episode = dataset.isel({EPISODE: number, TIME: slice(int(dataset.length[number]))}).load()
        yield episode


def write_store(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset that fits in memory; the store appears under its name only when it is whole."""
    dataset = _portable(dataset)
    with _Unfinished(path) as unfinished:
        encoding = _encoding(dataset, len_shard=None)
        dataset.to_zarr(unfinished, mode="a", zarr_format=3, consolidated=False, encoding=encoding)


class EpisodeWriter:
    """Writes a store episode by episode: memory holds one shard, however many episodes there are.

    Use as a context manager; the store appears under its name when the block ends without an error.
    Episodes may also bring variables along the dim `run`, as many elements each as they like; these are
    written one episode after the other.
    """

    def __init__(self, path: Path, episodes: int, attrs: dict[str, Any]) -> None:
        self._unfinished = _Unfinished(path)
        self._episodes, self._attrs = episodes, attrs
        self._held: list[xr.Dataset] = []
        self._held_ragged: list[xr.Dataset] = []
        self._written = 0

    def __enter__(self) -> EpisodeWriter:
        self._target = self._unfinished.__enter__()
        return self

    def write(self, episode: xr.Dataset, ragged: xr.Dataset | None = None) -> None:
        """Add the next episode; coordinates are shared and taken from the first."""
        self._held.append(episode)
        if ragged is not None:
            self._held_ragged.append(ragged)
        if len(self._held) == self._per_shard(episode) or self._written + len(self._held) == self._episodes:
            self._flush()

    def _per_shard(self, episode: xr.Dataset) -> int:
        return max(1, min(self._episodes, _SHARD_BYTES // max(1, episode.nbytes)))

    def _flush(self) -> None:
        first = self._written == 0
        stacked = xr.concat(self._held, dim=EPISODE, data_vars="all", coords="minimal", compat="override", join="exact")
        numbers = np.arange(self._written, self._written + len(self._held))
        if self._held_ragged:
            joined = xr.concat(self._held_ragged, dim=_RUN)
            if first or joined.sizes[_RUN]:
                self._append(joined, _RUN, first)
        self._append(stacked.assign_coords({EPISODE: numbers}).assign_attrs(self._attrs), EPISODE, first)
        self._written += len(self._held)
        self._held, self._held_ragged = [], []

    def _append(self, dataset: xr.Dataset, dim: str, first: bool) -> None:
        options: dict[str, Any] = {"zarr_format": 3, "consolidated": False}
        dataset = _portable(dataset)
        if first:
            dataset.to_zarr(self._target, mode="a", encoding=_encoding(dataset, len_shard=len(self._held)), **options)
        else:
            fixed = [name for name in dataset.coords if dim not in dataset[name].dims]
            dataset.drop_vars(fixed).to_zarr(self._target, append_dim=dim, **options)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self._written != self._episodes:
            given = self._written + len(self._held)
            error = RuntimeError(f"{given} episodes written, {self._episodes} announced")
            self._unfinished.__exit__(type(error), error, None)
            raise error
        self._unfinished.__exit__(kind, error, trace)


class _Unfinished:
    """A directory beside the target that takes the target's name when the block ends without an error.

    It is locked while it is written: a job that outlived its killed snakemake and the job that was started in its
    place never write into one store. The latter is refused, and then the former is not kept: its settings may be others.
    What a dead job left is cleared.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._beside = target.with_name(f".{target.name}.partial")

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if self._beside.exists():
            handle = lock(self._beside, str(self._target))
            shutil.rmtree(self._beside)
            os.close(handle)
        self._beside.mkdir()
        self._handle = lock(self._beside, str(self._target))
        return self._beside

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        finished = False
        try:
            if kind is None:
                self._finish()
                finished = True
        finally:
            if not finished:
                _clear(self._beside)
            os.close(self._handle)

    def _finish(self) -> None:
        root = self._beside / layout.ROOT  # it holds the digests of the others
        digests = {str(file.relative_to(self._beside)): sha256(file) for file in files_of(self._beside) if file != root}
        zarr.open_group(self._beside, mode="r+", use_consolidated=False).attrs[DIGESTS] = json.dumps(digests)
        check_not_refused(self._beside, str(self._target))
        if self._target.exists():
            shutil.rmtree(self._target)
        self._beside.rename(self._target)


def _clear(directory: Path) -> None:
    """Remove a directory. When one of zarr's threads has failed, others may be writing there still.

    Nothing is waited for where nothing can be removed: on a disk that has become read-only.
    """
    deadline = time.monotonic() + 5
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        if not os.access(directory, os.W_OK):  # gone, or not to be had
            return
        time.sleep(0.05)


def _portable(dataset: xr.Dataset) -> xr.Dataset:
    """What every format takes. Old encodings go.

    Fixed-width strings have no specification in Zarr v3; netCDF has no mappings as attributes, netCDF 3 no unsigned numbers.
    """
    fixed = {name: (c.dims, labels(c.values)) for name, c in dataset.coords.items() if c.dtype.kind in "UO"}
    digits = {
        name: (dataset[name].dims, labels(map(str, dataset[name].values.tolist())))
        for name in _AS_TEXT
        if name in dataset and dataset[name].dtype.kind == "u"
    }
    signed = {name: array.astype(np.int16) for name, array in dataset.data_vars.items() if array.dtype == np.uint8}
    written = dataset.assign_coords(fixed).assign({**digits, **signed}).drop_encoding()
    written.attrs = metadata.encoded(dataset.attrs)
    return written


def _encoding(dataset: xr.Dataset, len_shard: int | None) -> dict[str, dict[str, Any]]:
    return {str(name): _array_encoding(array, len_shard) for name, array in dataset.data_vars.items()}


def _array_encoding(array: xr.DataArray, len_shard: int | None) -> dict[str, Any]:
    """One episode a chunk, `len_shard` episodes a shard, time last on disk, bits shuffled and zstd-compressed."""
    dims = list(array.dims)
    if (array.size == 0 and _RUN not in dims) or array.dtype.kind not in "biuf":
        return {}
    by_episode = EPISODE in dims
    chunks = tuple(1 if dim == EPISODE else _RAGGED_CHUNK if dim == _RUN else array.sizes[dim] for dim in dims)
    blosc = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=array.dtype.itemsize)
    encoding: dict[str, Any] = {"chunks": chunks, "compressors": [blosc]}
    if by_episode:
        length = len_shard or array.sizes[EPISODE]
        encoding["shards"] = tuple(length if dim == EPISODE else array.sizes[dim] for dim in dims)
    if TIME in dims and dims[-1] != TIME:
        order = [*(i for i, dim in enumerate(dims) if dim != TIME), dims.index(TIME)]
        encoding["filters"] = [TransposeCodec(order=tuple(order))]
    return encoding


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


@functools.cache
def _git_commit() -> str:
    """The commit of the code, with -dirty when it differs; `unknown` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"
