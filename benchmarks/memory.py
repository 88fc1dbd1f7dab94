"""Peak memory of each stage by the number of episodes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from dynamic_sparsity.settings.stages import STAGES
from dynamic_sparsity.study import dependencies
from dynamic_sparsity.study import study as studies

TASK, STEPS, FEW, MANY = "CheetahRun", 1000, 12, 48  # one shard holds nine of its episodes


def measure() -> list[dict[str, object]]:
    """Peak resident memory of the stages of one study seed, for few and for many episodes."""
    peaks = {episodes: _stages(episodes) for episodes in (FEW, MANY)}
    return [
        {
            "stage": stage,
            f"mib_{FEW}_episodes": peaks[FEW][stage],
            f"mib_{MANY}_episodes": peaks[MANY][stage],
            "many_over_few": peaks[MANY][stage] / peaks[FEW][stage],
        }
        for stage in peaks[FEW]
    ]


def _stages(episodes: int) -> dict[str, float]:
    study = studies.load_study(
        {"tasks": [TASK], "policies": {"noise": {}}, "seeds": [0], "rollouts": {"episodes": episodes, "steps": STEPS}}
    )
    with tempfile.TemporaryDirectory() as directory:
        store = {stage: str(Path(directory) / f"{stage}.zarr") for stage in STAGES}
        inputs = {
            "rollouts": ["--task", TASK, "--policy", "noise", "--seed", "0"],
            "jacobians": ["--rollout", store["rollouts"]],
            "sparsity": ["--jacobian", store["jacobians"]],
            "durations": ["--sparsity", store["sparsity"]],
            "summary": ["--sparsity", store["sparsity"]],
            "survival": ["--sparsity", store["sparsity"]],
            "patterns": ["--sparsity", store["sparsity"]],
            "clustering": ["--sparsity", store["sparsity"]],
        }
        peaks = {}
        for stage, arguments in inputs.items():
            settings = dependencies.stage_settings(study, stage, "noise")
            peaks[stage] = _peak_mib(stage, ["--settings", settings, "--output", store[stage], *arguments])
        return peaks


def _peak_mib(stage: str, command: list[str]) -> float:
    arguments = [sys.executable, "-m", "benchmarks.memory", stage, *command]
    process = subprocess.run(arguments, check=True, capture_output=True, text=True, env=os.environ)
    return float(process.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    import importlib

    name, sys.argv = sys.argv[1], sys.argv[1:]
    importlib.import_module(f"dynamic_sparsity.stages.{name}").main()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
