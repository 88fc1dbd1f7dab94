"""Experts on disk: one safetensors file per task and seed, with provenance and a checksum, read without pickle.

The header of the file (https://github.com/huggingface/safetensors) holds one metadata entry, `expert`: JSON with the
task, seed, settings, versions, hardware, returns and the checksum of everything else. The tensors are the observation
statistics `observation_mean` and `observation_std`, and the layers `policy/0/kernel`, `policy/0/bias`, …
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dynamic_sparsity.errors import UserError

SCHEMA_VERSION = 1
"""Raised when the tensors or the provenance of a file change their meaning."""

NETWORKS = ("swish-mlp",)
"""Kinds of networks that can be run: layers with swish between them, whose output is location and scale."""

_HEADER, _CHECKSUM = "expert", "sha256"
_LAYER = ("kernel", "bias")
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
    """Write the file beside its place, then rename it; the checksum covers tensors and provenance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance = {**expert.provenance, "schema_version": SCHEMA_VERSION}
    provenance[_CHECKSUM] = _checksum(expert.tensors, provenance)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        tensors = {name: np.ascontiguousarray(array) for name, array in expert.tensors.items()}
        unfinished.write_bytes(save(tensors, metadata={_HEADER: json.dumps(provenance, sort_keys=True)}))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_expert(path: Path, task: str | None = None, remedy: str = REMEDY) -> Expert:
    """Read and check an expert, for `task` if one is given; `remedy` ends the message of any error.

    Raises UserError when the file is missing, truncated, altered, for another task, or of a network that cannot be
    run or does not fit its own sizes.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such expert; {remedy}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(_HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        provenance = json.loads(header) if header else None
    except (SafetensorError, OSError, ValueError, TypeError) as error:  # TypeError: a data type that numpy does not have
        raise UserError(f"{path} is not a whole safetensors file ({error}): {remedy}") from None
    if not isinstance(provenance, dict):
        raise UserError(f"{path} is a safetensors file, but not of an expert (no metadata entry {_HEADER!r}): {remedy}")
    found = provenance.pop(_CHECKSUM, None)
    if found != _checksum(tensors, provenance):
        raise UserError(f"{path} has been altered: its checksum is not the {_CHECKSUM} {found} that it names; {remedy}")
    expert = Expert(tensors, provenance)
    _check(path, expert, task, remedy)
    return expert


def _check(path: Path, expert: Expert, task: str | None, remedy: str) -> None:
    provenance = expert.provenance
    if (version := provenance.get("schema_version")) != SCHEMA_VERSION:
        raise UserError(f"{path} is in schema version {version}, expected {SCHEMA_VERSION}: {remedy}")
    if missing := {"task", "seed", "network", "action_size", "observation_clip"} - set(provenance):
        raise UserError(f"{path} does not say {', '.join(sorted(missing))}: {remedy}")
    if task and provenance["task"] != task:
        raise UserError(f"{path} is an expert for {provenance['task']}, not for {task}: {remedy}")
    if (network := provenance["network"]) not in NETWORKS:
        raise UserError(f"{path} has the network {network!r}, known are {', '.join(NETWORKS)}: {remedy}")
    wanted = {"observation_mean", "observation_std"} | {f"policy/{i}/{n}" for i in range(expert.depth) for n in _LAYER}
    if not expert.depth or (missing := wanted - set(expert.tensors)):
        lacking = ", ".join(sorted(missing)) if expert.depth else "policy/0/kernel"
        raise UserError(f"{path} lacks {lacking}: {remedy}")
    for name in sorted(wanted):
        if not np.isfinite(expert.tensors[name]).all():
            raise UserError(f"{path} holds values in {name} that are not finite: {remedy}")
    if not isinstance(clip := provenance["observation_clip"], int | float) or not 0 <= clip < math.inf:
        raise UserError(f"{path} has the observation_clip {clip!r}, which is no number from 0 (no clip) up: {remedy}")
    mean, spread = (expert.tensors[f"observation_{name}"] for name in ("mean", "std"))
    if mean.ndim != 1 or spread.shape != mean.shape or not (spread > 0).all():
        raise UserError(
            f"{path}: observation_mean {mean.shape} and observation_std {spread.shape} must be vectors of one length, the"
            f" latter positive: {remedy}"
        )
    shapes = [(*kernel.shape, *bias.shape) for kernel, bias in expert.layers]
    sizes = [expert.observation_size, *(kernel.shape[-1] for kernel, _ in expert.layers)]
    fitting = [(rows, columns, columns) for rows, columns in itertools.pairwise(sizes)]
    if shapes != fitting or sizes[-1] != 2 * provenance["action_size"]:
        raise UserError(
            f"{path} has layers (inputs, outputs, biases) {shapes} that do not fit each other, {sizes[0]} observations and"
            f" {provenance['action_size']} actions (location and scale for each): {remedy}"
        )


def check_finished(path: Path, expert: Expert, remedy: str = REMEDY) -> None:
    """Raise UserError unless the expert has been evaluated: a checkpoint has not."""
    if missing := {"returns", "steps", "hardware", "settings"} - set(expert.provenance):
        raise UserError(f"{path} does not say {', '.join(sorted(missing))} (is it a checkpoint?): {remedy}")


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
