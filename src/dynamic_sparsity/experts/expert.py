"""Experts on disk: a safetensors file per task and training seed, with provenance and a checksum; never pickle.

The file's header (https://github.com/huggingface/safetensors) has one metadata entry, `expert`: JSON with the task, the
training seed, settings, versions, hardware, returns and a checksum of everything else. The tensors are the observation
statistics `observation_mean` and `observation_std`, and the layers `policy/0/kernel`, `policy/0/bias`, …
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from dynamic_sparsity.errors import UserError, printable, quoted
from dynamic_sparsity.files.whole import whole
from dynamic_sparsity.stores import metadata

SCHEMA_VERSION = 1
"""Increased when tensors or provenance of a file change their meaning."""

NETWORKS = ("swish-mlp",)
"""Kinds of networks that a policy can run. `swish-mlp`: layers with swish between them; the output is location and
scale."""

_HEADER, _CHECKSUM = "expert", "sha256"
_LAYER = ("kernel", "bias")
_LARGEST, _DEEPEST = 2**30, 16
"""Limits of a file's size in bytes (the shipped files have a quarter of a million) and of the nesting of its
provenance, which rollout stores copy into their attributes."""
REMEDY = "restore the file (git checkout), or train it again with `policies: {expert: train}`"
RETRAIN = "delete the file and run snakemake again to train a new expert"


@dataclass(frozen=True)
class Expert:
    """A trained policy: normalise and clip the observation, layers with swish between them, tanh of a Gaussian."""

    tensors: dict[str, np.ndarray]
    provenance: dict[str, Any]
    """`task`, `seed`, `network`, `action_size`, `observation_clip`, `settings`, `returns`, versions and hardware."""

    @property
    def observation_size(self) -> int:
        """Length of the observation that the network expects."""
        return len(self.tensors["observation_mean"])

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel [inputs, outputs] and bias [outputs] of every layer, first to last."""
        kernels, biases = ([self.tensors[f"policy/{i}/{name}"] for i in range(self.depth)] for name in _LAYER)
        return list(zip(kernels, biases, strict=True))

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len({name.split("/")[1] for name in self.tensors if name.startswith("policy/")})


def write_expert(path: Path, expert: Expert) -> None:
    """Writes the file atomically; its checksum covers tensors and provenance."""
    provenance = {**expert.provenance, "schema_version": SCHEMA_VERSION}
    provenance[_CHECKSUM] = _checksum(expert.tensors, provenance)
    tensors = {name: np.ascontiguousarray(array) for name, array in expert.tensors.items()}
    with whole(path) as (partial,):
        partial.write_bytes(save(tensors, metadata={_HEADER: json.dumps(provenance, sort_keys=True)}))


def read_expert(path: Path, task: str | None = None, remedy: str = REMEDY) -> Expert:
    """Reads and checks an expert, for `task` unless that is None; `remedy` ends the message of every error.

    The file may come from anyone. Raises UserError if it is missing, truncated, altered, absurdly large or for another
    task, or if its network is of an unknown kind or does not fit its own sizes. The checksum detects accidents, not
    fraud.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such expert; {remedy}")
    if (size := path.stat().st_size) > _LARGEST:
        raise UserError(f"{path} has {size} bytes; an expert has at most {_LARGEST}: {remedy}")
    try:
        path.open("rb").close()  # its error says which permission is missing
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(_HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        provenance = metadata.parsed(header, _DEEPEST) if header else None
    except Exception as error:  # numpy raises various errors for unsupported data types, ranks and sizes
        from dynamic_sparsity.stores import reading  # imported late: planning in Snakemake needs no Zarr

        if message := reading.cause(path, error):
            raise UserError(message) from None
        raise UserError(f"{path} is not a complete safetensors file ({printable(error):.300}): {remedy}") from None
    if not isinstance(provenance, dict):
        raise UserError(f"{path} is a safetensors file but not an expert (no metadata entry {_HEADER!r}): {remedy}")
    stated = provenance.pop(_CHECKSUM, None)
    if stated != _checksum(tensors, provenance):
        raise UserError(f"{path} has been altered: its content does not match its {_CHECKSUM} {quoted(stated)}; {remedy}")
    expert = Expert(tensors, provenance)
    for problem in (_provenance_problem(provenance, task), _tensor_problem(tensors, expert.depth)):
        if problem:
            raise UserError(f"{path} {problem}: {remedy}")
    if problem := _size_problem(expert):
        raise UserError(f"{path} {problem}: {remedy}")
    return expert


def _provenance_problem(provenance: dict[str, Any], task: str | None) -> str | None:
    """What is wrong with the provenance of an expert for `task`, or None."""
    if (version := provenance.get("schema_version")) != SCHEMA_VERSION:
        return f"has schema version {quoted(version)}, expected {SCHEMA_VERSION}"
    if problem := metadata.problem(metadata.ExpertProvenance, provenance):
        return problem
    if task and provenance["task"] != task:
        return f"is an expert for {provenance['task']}, not for {task}"
    if (network := provenance["network"]) not in NETWORKS:
        return f"has the network {network!r}; known networks are {', '.join(NETWORKS)}"
    return None


def _tensor_problem(tensors: Mapping[str, np.ndarray], depth: int) -> str | None:
    """The first tensor of the policy that is missing, unknown, not floating-point or not finite, or None."""
    expected = {"observation_mean", "observation_std"} | {
        f"policy/{i}/{name}" for i in range(max(depth, 1)) for name in _LAYER
    }
    if missing := sorted(expected - tensors.keys()):
        return f"lacks {', '.join(missing[:10])}"
    if unknown := sorted(name for name in tensors.keys() - expected if name.startswith("policy/")):
        return f"has {quoted(unknown[0])}, which does not belong to {depth} layers of kernel and bias"
    for name in sorted(expected):
        if tensors[name].dtype.kind != "f":
            return f"holds {tensors[name].dtype} in {name}, expected floating-point numbers"
        if not np.isfinite(tensors[name]).all():
            return f"holds values in {name} that are not finite"
    return None


def _size_problem(expert: Expert) -> str | None:
    """Which sizes of statistics, layers and actions do not fit each other, or None."""
    mean, spread = (expert.tensors[f"observation_{name}"] for name in ("mean", "std"))
    if mean.ndim != 1 or spread.shape != mean.shape or not len(mean) or not (spread > 0).all():
        return (
            f"has observation_mean {mean.shape} and observation_std {spread.shape}, which must be vectors of one length;"
            " observation_std must be positive"
        )
    shapes = [(*kernel.shape, *bias.shape) for kernel, bias in expert.layers]
    actions = expert.provenance["action_size"]
    sizes = [len(mean), *(bias.size for _, bias in expert.layers)]
    fitting = [(rows, columns, columns) for rows, columns in itertools.pairwise(sizes)]
    if shapes != fitting or any(kernel.ndim != 2 for kernel, _ in expert.layers) or sizes[-1] != 2 * actions or 0 in sizes:
        return (
            f"has layers (inputs, outputs, biases) {quoted(shapes)} that do not fit each other, {sizes[0]} observations and"
            f" {actions} actions (location and scale for each)"
        )
    return None


def check_finished(path: Path, expert: Expert, remedy: str = REMEDY) -> None:
    """Raises UserError unless the expert's provenance has the results of an evaluation; a checkpoint has none."""
    if problem := metadata.problem(metadata.FinishedProvenance, expert.provenance):
        raise UserError(f"{path} {problem} (is it a checkpoint?): {remedy}")


def check_sizes(path: Path, expert: Expert, observation_size: int, action_size: int, remedy: str = REMEDY) -> None:
    """Raises UserError unless the expert's observations and actions have the sizes of the installed task's."""
    for quantity, size, task_size in (
        ("observations", expert.observation_size, observation_size),
        ("actions", expert.provenance["action_size"], action_size),
    ):
        if size != task_size:
            task = expert.provenance["task"]
            raise UserError(f"{path} is for {size} {quantity}, but {task} has {task_size} in this installation: {remedy}")


def _checksum(tensors: Mapping[str, np.ndarray], provenance: Mapping[str, Any]) -> str:
    """SHA-256 of the provenance and of every tensor's name, data type, shape and values."""
    digest = hashlib.sha256(json.dumps(provenance, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
