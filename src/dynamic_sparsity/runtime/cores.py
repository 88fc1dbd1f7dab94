"""Claims cores and devices for this process."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import IO

_LOCKS: list[IO[str]] = []


def names_gpu() -> bool:
    """Whether the first platform in JAX_PLATFORMS is an NVIDIA GPU."""
    return os.environ.get("JAX_PLATFORMS", "cpu").startswith(("cuda", "gpu"))


def claim_cores(threads: int) -> set[int]:
    """Pins this process to `threads` cores that no other process of this user has claimed; returns the cores.

    Only cores within the process's affinity are taken, so that a scheduler's binding is respected. If too few are free,
    the process shares claimed ones. A claim is an advisory lock, which ends with the process, however that ends.
    """
    if not hasattr(os, "sched_setaffinity"):  # not Linux: nothing to pin
        return set()
    allowed = sorted(os.sched_getaffinity(0))
    if threads >= len(allowed):
        return set(allowed)
    free: list[int] = []
    for core in allowed:
        if len(free) < threads and _lock(f"core-{core}"):
            free.append(core)
    spare = [core for core in allowed if core not in free]
    turn = os.getpid() % max(1, len(spare))
    chosen = {*[*free, *spare[turn:], *spare[:turn]][:threads]}
    os.sched_setaffinity(0, chosen)
    return chosen


def claim_device() -> str | None:
    """Claims one NVIDIA device that no other process of this study uses and returns its name; waits until one is free.

    The process then sees this device only: two jax processes on one device would compete for its memory. Candidates are
    the devices in CUDA_VISIBLE_DEVICES (up to a -1, as CUDA reads it) or else the machine's. Returns None if there is
    no device. Claims of different Slurm jobs are independent, because a scheduler may give different devices the same
    name.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    installed = [path.name.removeprefix("nvidia") for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    listed = [name.strip() for name in (visible or "").split(",")]
    devices = installed if visible is None else [name for name in itertools.takewhile("-1".__ne__, listed) if name]
    scope = os.environ.get("SLURM_JOB_ID", "")
    for attempt in itertools.count() if devices else ():
        for device in devices:
            if _lock(f"device{scope}-{device}"):
                os.environ["CUDA_VISIBLE_DEVICES"] = device
                return device
        if attempt == 0:
            print(f"waiting for a device: other processes of this study use {', '.join(devices)}", flush=True)
        time.sleep(1)
    return None


def _lock(name: str) -> bool:
    """Whether this process now holds the lock `name` of this user; it keeps the lock until it ends."""
    directory = Path(tempfile.gettempdir()) / f"dynamic-sparsity-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    handle = (directory / f"{name}.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _LOCKS.append(handle)
    return True
