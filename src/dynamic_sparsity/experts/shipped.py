"""The experts that this repository ships: a list with checksums; every file is checked before a study starts."""

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
"""Lengths of tasks' observations, so that no simulator has to be imported; a test compares them with Playground."""
_LINE = re.compile(r"[0-9a-f]{64}\s+[A-Za-z0-9_]+-[0-9]+\.safetensors\s*")
_REMEDY = "restore it (git checkout), or train (`policies: {expert: train}`)"


class ShippedExpert(NamedTuple):
    """An expert's file and the SHA-256 of its content, which identifies it independently of its place."""

    path: Path
    checksum: str


def tasks_with_files(directory: Path) -> list[str]:
    """The tasks that have shipped experts; raises UserError if the list of files is missing or cannot be read."""
    return sorted({path.stem.partition("-")[0] for path in _checksums(directory)})


def of_tasks(directory: Path, tasks: list[str]) -> dict[str, list[ShippedExpert]]:
    """The files `{task}-{seed}.safetensors` of each of `tasks`, in the order of their training seeds.

    Raises UserError if a task has no shipped expert, if a file is missing, differs from its checksum in the list, or is
    not a finished expert for its task, and if the list is missing or has a line that `sha256sum` would not write.
    """
    sums = _checksums(directory)
    files: dict[str, list[ShippedExpert]] = {}
    for path in sorted(sums, key=lambda path: (len(path.stem), path.stem)):
        files.setdefault(path.stem.partition("-")[0], []).append(ShippedExpert(path, sums[path]))
    if missing := [task for task in tasks if task not in files]:
        raise UserError(
            f"policies.expert: no expert is shipped for {', '.join(missing)} (only for {', '.join(files)});"
            " train them (`policies: {expert: train}`), or study other tasks or policies"
        )
    for task in tasks:
        for expert in files[task]:
            _check(expert.path, task, expert.checksum)
    return {task: files[task] for task in tasks}


def _check(path: Path, task: str, checksum: str) -> None:
    """Raises UserError unless `path` is the listed file and a finished expert for `task`."""
    if not path.is_file():
        raise UserError(f"policies.expert: {path} is missing: {_REMEDY}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise UserError(f"policies.expert: {path} does not match its checksum in {LIST}: {_REMEDY}")
    expert = read_expert(path, task, _REMEDY)
    check_finished(path, expert, _REMEDY)
    if task in OBSERVATIONS:  # for other tasks, the job checks the sizes before it simulates
        check_sizes(path, expert, OBSERVATIONS[task], DM_CONTROL_SUITE[task].nu, _REMEDY)


def _checksums(directory: Path) -> dict[Path, str]:
    """The listed files with their checksums."""
    try:
        lines = [line for line in (directory / LIST).read_text().split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"policies.expert: cannot read {directory / LIST} ({error}): {_REMEDY}") from None
    # A name that is a path is refused: it might lead out of the directory.
    if malformed := [line for line in lines if not _LINE.fullmatch(line)]:
        raise UserError(
            f"policies.expert: cannot read {directory / LIST}: it has the line {quoted(malformed[0])}; expected a SHA-256"
            f" and a name TASK-SEED.safetensors, as sha256sum writes them: {_REMEDY}"
        )
    return {directory / name: checksum for checksum, name in map(str.split, lines)}
