"""The experts that this repository ships: a list with checksums, and every file checked before a study starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.experts import read_expert

LIST = "SHA256SUMS"
_REMEDY = "restore it (git checkout), or train (`policies: {expert: train}`)"


def of_tasks(directory: Path, tasks: list[str]) -> dict[str, list[Path]]:
    """The files for `tasks`, each task's in the order of their seeds; `{task}-{seed}.safetensors`.

    Raises UserError where one is not shipped, missing, not what the list says or no expert for its task, and when there is
    no list, or a line that is not one of `sha256sum`'s.
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
    read_expert(path, task, _REMEDY)


def _checksums(directory: Path) -> dict[Path, str]:
    try:
        lines = (directory / LIST).read_text().split("\n")
        return {directory / name: checksum for checksum, name in (line.split() for line in lines if line.strip())}
    except (OSError, ValueError) as error:
        raise UserError(f"policies.expert: cannot read {directory / LIST} ({error}): {_REMEDY}") from None
