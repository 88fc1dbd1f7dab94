"""The experts that this repository ships: a list with checksums, and every file checked before a study starts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from dynamic_sparsity.errors import UserError, quoted
from dynamic_sparsity.experts.expert import check_finished, check_sizes, read_expert
from dynamic_sparsity.tasks.sizes import DM_CONTROL_SUITE

LIST = "SHA256SUMS"
OBSERVATIONS = {
    "BallInCup": 8,
    "CartpoleBalance": 5,
    "CheetahRun": 17,
    "FingerSpin": 9,
    "FingerTurnEasy": 12,
    "ReacherHard": 6,
    "SwimmerSwimmer6": 25,
    "WalkerRun": 24,
}
"""Lengths of tasks' observations, known without importing a simulator (a test holds them against Playground)."""
_LINE = re.compile(r"[0-9a-f]{64}\s+[A-Za-z0-9_]+-[0-9]+\.safetensors\s*")
_REMEDY = "restore it (git checkout), or train (`policies: {expert: train}`)"


class ShippedExpert(NamedTuple):
    """A policy file and the SHA-256 of its content, which identifies it wherever it lies."""

    path: Path
    checksum: str


def tasks_with_files(directory: Path) -> list[str]:
    """The tasks that have files; raises UserError where there is no list of them."""
    return sorted({path.stem.partition("-")[0] for path in _checksums(directory)})


def of_tasks(directory: Path, tasks: list[str]) -> dict[str, list[ShippedExpert]]:
    """The files for `tasks`, each task's in the order of their seeds; `{task}-{seed}.safetensors`.

    Raises UserError where one is not shipped, missing, not what the list says, or no finished expert for its task; and
    when there is no list, or a line that is not one of `sha256sum`'s.
    """
    sums = _checksums(directory)
    files: dict[str, list[ShippedExpert]] = {}
    for path in sorted(sums, key=lambda path: (len(path.stem), path.stem)):
        files.setdefault(path.stem.partition("-")[0], []).append(ShippedExpert(path, sums[path]))
    if missing := [task for task in tasks if task not in files]:
        raise UserError(
            f"policies.expert: no expert is shipped for {', '.join(missing)} (there are: {', '.join(files)});"
            " train them (`policies: {expert: train}`), or study other tasks or policies"
        )
    for task in tasks:
        for expert in files[task]:
            _check(expert.path, task, expert.checksum)
    return {task: files[task] for task in tasks}


def _check(path: Path, task: str, checksum: str) -> None:
    if not path.is_file():
        raise UserError(f"policies.expert: {path} is missing: {_REMEDY}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise UserError(f"policies.expert: {path} is not the file whose checksum {LIST} has: {_REMEDY}")
    expert = read_expert(path, task, _REMEDY)
    check_finished(path, expert, _REMEDY)
    if task in OBSERVATIONS:  # another task: by the job, before it simulates
        check_sizes(path, expert, OBSERVATIONS[task], DM_CONTROL_SUITE[task].nu, _REMEDY)


def _checksums(directory: Path) -> dict[Path, str]:
    try:
        lines = [line for line in (directory / LIST).read_text().split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"policies.expert: cannot read {directory / LIST} ({error}): {_REMEDY}") from None
    if wrong := [line for line in lines if not _LINE.fullmatch(line)]:  # a name that is a path might lead anywhere
        raise UserError(
            f"policies.expert: cannot read {directory / LIST}: it has the line {quoted(wrong[0])}, expected a SHA-256 and a"
            f" name TASK-SEED.safetensors, as sha256sum writes them: {_REMEDY}"
        )
    return {directory / name: checksum for checksum, name in map(str.split, lines)}
