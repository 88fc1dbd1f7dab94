"""What every stage does: parse, configure, and turn a user's mistake into one line."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dynamic_sparsity.errors import UserError


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that all stages share: settings, output, threads."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--settings", required=True, help="this stage's settings as one JSON string")
    options.add_argument("--output", required=True, type=Path, help="what to write")
    options.add_argument("--threads", type=int, default=1, help="how many cores to claim")
    return options


def run(main: Callable[[], None]) -> None:
    """Run a stage and say what it used; a UserError becomes its message and exit status 1, without a traceback."""
    started = time.perf_counter()
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"used {time.perf_counter() - started:.1f} s and at most {_peak_mb():.0f} MB of memory")


def _peak_mb() -> float:
    """Largest resident set of this process so far, exactly: Snakemake's benchmarks look now and then."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
