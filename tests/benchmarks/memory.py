"""Peak memory of each stage against the number of episodes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

TASK, STEPS = "FingerSpin", 500


def measure() -> list[dict[str, object]]:
    """Peak resident memory of the stages of one seed, for few and for many episodes."""
    few, many = 4, 60
    peaks = {episodes: _stages(episodes) for episodes in (few, many)}
    return [
        {
            "stage": stage,
            f"mib_{few}_episodes": peaks[few][stage],
            f"mib_{many}_episodes": peaks[many][stage],
            "many_over_few": peaks[many][stage] / peaks[few][stage],
        }
        for stage in peaks[few]
    ]


def _stages(episodes: int) -> dict[str, float]:
    section = {"policies": {"noise": {}}, "rollouts": {"episodes": episodes, "steps": STEPS}, "jacobians": {}}
    settings = {"rollouts": ["policies", "rollouts"], "jacobians": [*section], "sparsity": [*section, "sparsity"]}
    with tempfile.TemporaryDirectory() as directory:
        store = {stage: str(Path(directory) / f"{stage}.zarr") for stage in (*settings, "durations")}
        inputs = {
            "rollouts": ["--task", TASK, "--policy", "noise", "--seed", "0"],
            "jacobians": ["--rollout", store["rollouts"]],
            "sparsity": ["--jacobian", store["jacobians"]],
            "durations": ["--sparsity", store["sparsity"]],
        }
        peaks = {}
        for stage, arguments in inputs.items():
            names = settings.get(stage, settings["sparsity"])
            values = {name: section.get(name, {}) for name in names}
            command = ["--settings", json.dumps(values), "--output", store[stage], *arguments]
            peaks[stage] = _peak_mib(stage, command)
        return peaks


def _peak_mib(stage: str, command: list[str]) -> float:
    arguments = [sys.executable, "-m", "tests.benchmarks.memory", stage, *command]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=os.environ)
    return float(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    import importlib

    name, sys.argv = sys.argv[1], sys.argv[1:]
    importlib.import_module(f"dynamic_sparsity.stages.{name}").main()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
