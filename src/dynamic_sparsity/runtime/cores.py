"""Cores and devices: which of them this process claims."""

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
    """Whether JAX_PLATFORMS asks for an NVIDIA GPU."""
    return os.environ.get("JAX_PLATFORMS", "cpu").startswith(("cuda", "gpu"))


def claim_cores(threads: int) -> set[int]:
    """Pin this process to `threads` cores that no other process of this study has claimed; returns them.

    Only cores within the process's affinity are taken, so a scheduler's binding holds. Where too few are
    free, claimed ones are shared. A claim is an advisory lock: it ends with the process, however it ends.
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
    """Show this process one NVIDIA device that no other process of this study uses, waiting for one; returns its name.

    Two jax processes on one device do not both find its memory. The devices are those of CUDA_VISIBLE_DEVICES (as for CUDA,
    up to a -1), else the machine's; None where there are none. A scheduler may give the same name to different devices of
    its jobs.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = [path.name.removeprefix("nvidia") for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    named = [name.strip() for name in (visible or "").split(",")]
    devices = found if visible is None else [name for name in itertools.takewhile("-1".__ne__, named) if name]
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
