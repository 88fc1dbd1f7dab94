"""Runs each measurement in a process of its own, pinned and with its own XLA switches; its result is a line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

ALL_CORES = sorted(os.sched_getaffinity(0))


def start(module: str, *arguments: object, cores: list[int], **environment: str) -> subprocess.Popen[str]:
    """Starts `python -m benchmarks.MODULE` bound to `cores`."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The measurement of a process: the last line that it prints. Raises RuntimeError if the process fails."""
    output = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"{process.args} failed")
    return json.loads(output.strip().splitlines()[-1])


def measured(module: str, *arguments: object, **environment: str) -> dict[str, Any]:
    """Runs one measurement on one core."""
    return result(start(module, *arguments, cores=ALL_CORES[-1:], **environment))
