"""Installs Debian's Slurm if it is missing; the packages start no daemons by themselves."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
_POLICY = Path("/usr/sbin/policy-rc.d")  # Debian's packages ask it whether to start their daemons


class UnavailableError(Exception):
    """Slurm cannot run on this machine; the message says why."""


def install() -> None:
    """Installs missing programs. Raises UnavailableError, with the reason, if that is impossible or of no use."""
    _check_allowed()
    needed = ("slurmctld", "slurmd", "sbatch", "munged", "munge")
    missing = [name for name in needed if not shutil.which(name, path=search_path())]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise UnavailableError(f"{', '.join(missing)} missing, and no apt-get to install Debian's packages with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_daemons():
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            process = subprocess.run(["apt-get", "--quiet", *command], env=environment, capture_output=True, text=True)
            if process.returncode:
                raise UnavailableError(f"apt-get {command[0]} failed: {process.stderr.strip()[-300:]}")


def search_path() -> str:
    """The PATH with the directories of daemons."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _check_allowed() -> None:
    if sys.platform != "linux":
        raise UnavailableError(f"Slurm needs Linux; this is {sys.platform}")
    if os.geteuid() != 0:
        raise UnavailableError("Slurm's daemons must run as root, and this process does not")


@contextlib.contextmanager
def _no_daemons() -> Generator[None, None, None]:
    """Packages installed within the block do not start their daemons. An existing policy of the machine is kept."""
    if _POLICY.exists():
        yield
        return
    with _POLICY.open("x") as file:
        file.write("#!/bin/sh\nexit 101\n")
    try:
        _POLICY.chmod(0o755)
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
