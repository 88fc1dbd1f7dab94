"""Experts on disk: one safetensors file per task and seed, with provenance and a checksum, read without pickle.

The header of the file (https://github.com/huggingface/safetensors) holds one metadata entry, `expert`: JSON with the
task, seed, settings, versions, hardware, returns and the checksum of everything else. The tensors are the observation
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
"""Raised when the tensors or the provenance of a file change their meaning."""

NETWORKS = ("swish-mlp",)
"""Kinds of networks that can be run: layers with swish between them, whose output is location and scale."""

_HEADER, _CHECKSUM = "expert", "sha256"
_LAYER = ("kernel", "bias")
_LARGEST, _DEEPEST = 2**30, 16
"""Bytes of a file (those that are shipped have a quarter of a million), and levels of its provenance, which rollouts repeat
among their attributes."""
REMEDY = "restore the file (git checkout), or train it again with `policies: {expert: train}`"
RETRAIN = "delete the file and run snakemake again, to train it anew"


@dataclass(frozen=True)
class Expert:
    """A trained policy: normalise, clip, layers with swish between them, tanh of a Gaussian."""

    tensors: dict[str, np.ndarray]
    provenance: dict[str, Any]
    """`task`, `seed`, `network`, `action_size`, `observation_clip`, `settings`, `returns`, versions and hardware."""

    @property
    def observation_size(self) -> int:
        """Length of the observation that the network takes."""
        return len(self.tensors["observation_mean"])

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel (inputs × outputs) and bias of every layer, first to last."""
        kernels, biases = ([self.tensors[f"policy/{i}/{name}"] for i in range(self.depth)] for name in _LAYER)
        return list(zip(kernels, biases, strict=True))

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len({name.split("/")[1] for name in self.tensors if name.startswith("policy/")})


def write_expert(path: Path, expert: Expert) -> None:
    """Write the file, whole or not at all; the checksum covers tensors and provenance."""
    provenance = {**expert.provenance, "schema_version": SCHEMA_VERSION}
    provenance[_CHECKSUM] = _checksum(expert.tensors, provenance)
    tensors = {name: np.ascontiguousarray(array) for name, array in expert.tensors.items()}
    with whole(path) as (beside,):
        beside.write_bytes(save(tensors, metadata={_HEADER: json.dumps(provenance, sort_keys=True)}))


def read_expert(path: Path, task: str | None = None, remedy: str = REMEDY) -> Expert:
    """Read and check an expert, for `task` if one is given; `remedy` ends the message of any error.

    Whoever wrote the file: raises UserError when it is missing, truncated, altered, absurdly large, for another task, or
    of a network that cannot be run or does not fit its own sizes. The checksum finds accidents, not lies.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such expert; {remedy}")
    if (size := path.stat().st_size) > _LARGEST:
        raise UserError(f"{path} has {size} bytes, and no expert more than {_LARGEST}: {remedy}")
    try:
        path.open("rb").close()  # says which right is missing
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(_HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        provenance = metadata.parsed(header, _DEEPEST) if header else None
    except Exception as error:  # numpy has its own for data types, ranks and sizes that it does not have
        from dynamic_sparsity.stores import reading  # what Snakemake plans with needs no Zarr

        if known := reading.cause(path, error):
            raise UserError(known) from None
        raise UserError(f"{path} is not a whole safetensors file ({printable(error):.300}): {remedy}") from None
    if not isinstance(provenance, dict):
        raise UserError(f"{path} is a safetensors file, but not of an expert (no metadata entry {_HEADER!r}): {remedy}")
    found = provenance.pop(_CHECKSUM, None)
    if found != _checksum(tensors, provenance):
        raise UserError(
            f"{path} has been altered: its checksum is not the {_CHECKSUM} {quoted(found)} that it names; {remedy}"
        )
    expert = Expert(tensors, provenance)
    for wrong in (_wrong_provenance(provenance, task), _wrong_tensors(tensors, expert.depth)):
        if wrong:
            raise UserError(f"{path} {wrong}: {remedy}")
    if wrong := _wrong_sizes(expert):
        raise UserError(f"{path} {wrong}: {remedy}")
    return expert


def _wrong_provenance(provenance: dict[str, Any], task: str | None) -> str | None:
    if (version := provenance.get("schema_version")) != SCHEMA_VERSION:
        return f"is in schema version {quoted(version)}, expected {SCHEMA_VERSION}"
    if wrong := metadata.problem(metadata.ExpertProvenance, provenance):
        return wrong
    if task and provenance["task"] != task:
        return f"is an expert for {provenance['task']}, not for {task}"
    if (network := provenance["network"]) not in NETWORKS:
        return f"has the network {network!r}, known are {', '.join(NETWORKS)}"
    return None


def _wrong_tensors(tensors: Mapping[str, np.ndarray], depth: int) -> str | None:
    """What is missing, unknown or no finite floating-point numbers among what the policy is made of."""
    wanted = {"observation_mean", "observation_std"} | {
        f"policy/{i}/{name}" for i in range(max(depth, 1)) for name in _LAYER
    }
    if missing := sorted(wanted - tensors.keys()):
        return f"lacks {', '.join(missing[:10])}"
    if unknown := sorted(name for name in tensors.keys() - wanted if name.startswith("policy/")):
        return f"has {quoted(unknown[0])}, which is no part of {depth} layers of kernel and bias"
    for name in sorted(wanted):
        if tensors[name].dtype.kind != "f":
            return f"holds {tensors[name].dtype} in {name}, expected floating-point numbers"
        if not np.isfinite(tensors[name]).all():
            return f"holds values in {name} that are not finite"
    return None


def _wrong_sizes(expert: Expert) -> str | None:
    mean, spread = (expert.tensors[f"observation_{name}"] for name in ("mean", "std"))
    if mean.ndim != 1 or spread.shape != mean.shape or not len(mean) or not (spread > 0).all():
        return (
            f"has observation_mean {mean.shape} and observation_std {spread.shape}, which must be vectors of one length, the"
            " latter positive"
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
    """Raise UserError unless the expert has been evaluated, and says what came out: a checkpoint has not."""
    if wrong := metadata.problem(metadata.FinishedProvenance, expert.provenance):
        raise UserError(f"{path} {wrong} (is it a checkpoint?): {remedy}")


def check_sizes(path: Path, expert: Expert, observation_size: int, action_size: int, remedy: str = REMEDY) -> None:
    """Raise UserError unless the expert takes the task's observations and gives its actions."""
    for what, found, wanted in (
        ("observations", expert.observation_size, observation_size),
        ("actions", expert.provenance["action_size"], action_size),
    ):
        if found != wanted:
            task = expert.provenance["task"]
            raise UserError(f"{path} is for {found} {what}, but {task} has {wanted} of them here: {remedy}")


def _checksum(tensors: Mapping[str, np.ndarray], provenance: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(provenance, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
