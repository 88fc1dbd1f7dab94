"""The experts that this repository ships: a list with checksums, and every file checked before a study starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts import check_finished, check_sizes, read_expert

LIST = "SHA256SUMS"
SIZES = {
    "BallInCup": (8, 2),
    "CartpoleBalance": (5, 1),
    "CheetahRun": (17, 6),
    "FingerSpin": (9, 2),
    "FingerTurnEasy": (12, 2),
    "ReacherHard": (6, 2),
    "SwimmerSwimmer6": (25, 5),
    "WalkerRun": (24, 6),
}
"""Observations and actions of tasks, known without importing a simulator (a test holds them against Playground)."""
_REMEDY = "restore it (git checkout), or train (`policies: {expert: train}`)"


def of_tasks(directory: Path, tasks: list[str]) -> dict[str, list[Path]]:
    """The files for `tasks`, each task's in the order of their seeds; `{task}-{seed}.safetensors`.

    Raises UserError where one is not shipped, missing, not what the list says, or no finished expert for its task; and
    when there is no list, or a line that is not one of `sha256sum`'s.
    """
    sums = _checksums(directory)
    files: dict[str, list[Path]] = {}
    for path in sorted(sums, key=lambda path: (len(path.stem), path.stem)):
        files.setdefault(path.stem.partition("-")[0], []).append(path)
    if missing := [task for task in tasks if task not in files]:
        raise UserError(
            f"policies.expert: no expert is shipped for {', '.join(missing)} (there are: {', '.join(files)});"
            " train them (`policies: {expert: train}`), or study other tasks or policies"
        )
    for task in tasks:
        for path in files[task]:
            _check(path, task, sums[path])
    return {task: files[task] for task in tasks}


def _check(path: Path, task: str, checksum: str) -> None:
    if not path.is_file():
        raise UserError(f"policies.expert: {path} is missing: {_REMEDY}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise UserError(f"policies.expert: {path} is not the file whose checksum {LIST} has: {_REMEDY}")
    expert = read_expert(path, task, _REMEDY)
    check_finished(path, expert, _REMEDY)
    if sizes := SIZES.get(task):  # of another task: by the job, before it simulates
        check_sizes(path, expert, *sizes, _REMEDY)


def _checksums(directory: Path) -> dict[Path, str]:
    try:
        lines = (directory / LIST).read_text().split("\n")
        return {directory / name: checksum for checksum, name in (line.split() for line in lines if line.strip())}
    except (OSError, ValueError) as error:
        raise UserError(f"policies.expert: cannot read {directory / LIST} ({error}): {_REMEDY}") from None
