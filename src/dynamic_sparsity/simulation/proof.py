"""Whether a rollout store's own word, that its steps were proved to replay, can be taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dynamic_sparsity.errors import quoted
from dynamic_sparsity.runtime import sources
from dynamic_sparsity.runtime.versions import SIMULATOR
from dynamic_sparsity.stores import digests
from dynamic_sparsity.stores.metadata import DIGESTS
from dynamic_sparsity.stores.provenance import code_versions

ATTRIBUTE = "replay_proof"
"""Of a rollout store: `proof_code` of the stage that recorded it, which leaves no store where a step does not replay."""
PROVER = "dynamic_sparsity.simulation.replay"
"""The module that proves; with all that it imports it decides whether a step replays."""


def proof_code() -> str:
    """Digest of the code here that decides whether a recorded step replays."""
    return sources.digest(PROVER)


def doubt(path: Path, attributes: dict[str, Any]) -> str | None:
    """Why the steps of a rollout store with these attributes have to be proved again; None where they need not be.

    They need not be where the same code did, with the same versions of the simulator, and every file is still the one that
    was written. This finds accidents, not lies: whoever writes a store can say anything of it.
    """
    code = attributes.get(ATTRIBUTE)
    if code is None:
        return "the store has no proof"
    if code != proof_code():
        return "its proof was made by other code"
    recorded, running = attributes["versions"], code_versions()["versions"]
    for package in SIMULATOR:
        if recorded.get(package) != running[package]:
            return f"its proof was made with {package} {quoted(recorded.get(package))}, this is {running[package]}"
    listed = attributes.get(DIGESTS)
    if not listed:
        return f"{path} has no list of its files"
    compared = digests.compare(path, listed)
    wrong = [*compared.damaged, *compared.unknown, *(f"{path} cannot be read: {error}" for error in compared.unread)]
    return wrong[0] if wrong else None
