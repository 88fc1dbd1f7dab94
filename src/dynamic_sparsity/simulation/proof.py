"""Whether to trust a rollout store's record that all of its steps replay, or to prove it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dynamic_sparsity.errors import quoted
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.stores import comparison
from dynamic_sparsity.stores.attributes import DIGESTS
from dynamic_sparsity.stores.provenance import code_versions

ATTRIBUTE = "replay_proof"
"""Attribute of a rollout store: the `proof_code` of the stage that recorded it. That stage leaves no store if a step
does not replay."""
PROVER = "dynamic_sparsity.simulation.replay"
"""The module that proves steps; its code, and the code of all that it imports, decides whether a step replays."""


def proof_code() -> str:
    """The digest of this installation's code that decides whether a recorded step replays."""
    return sources.digest(PROVER)


def doubt(path: Path, attributes: dict[str, Any]) -> str | None:
    """The reason why the steps of the rollout store at `path` have to be proved again, or None if they need not be.

    They need not be if the same code proved them with the same versions of the simulator, and every file is still as it
    was written. This detects accidents, not fraud: the writer of a store can put anything into its attributes.
    """
    code = attributes.get(ATTRIBUTE)
    if code is None:
        return "the store has no proof"
    if code != proof_code():
        return "its proof was made by a different version of the code"
    recorded, running = attributes["versions"], code_versions()["versions"]
    for package in SIMULATOR:
        if recorded.get(package) != running[package]:
            return f"its proof was made with {package} {quoted(recorded.get(package))}, this is {running[package]}"
    listed = attributes.get(DIGESTS)
    if not listed:
        return f"{path} has no list of its files"
    differences = comparison.compare(path, listed)
    problems = [
        *differences.damaged,
        *differences.unknown,
        *(f"{path} cannot be read: {error}" for error in differences.unread),
    ]
    return problems[0] if problems else None
