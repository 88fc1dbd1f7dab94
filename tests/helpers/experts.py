"""Shipped experts, and made-up experts to write and read."""

from pathlib import Path
from typing import Any

import numpy as np

from dynamic_sparsity.experts.expert import Expert

SHIPPED = Path(__file__).resolve().parents[2] / "resources/policies"
SUMS = {name: digest for digest, name in map(str.split, (SHIPPED / "SHA256SUMS").read_text().splitlines())}
TASK = "CartpoleBalance"
RETURNS = {"mean": 3.0, "std": 1.5, "each": [2.0, 4.0]}
RETURNS_OF_ALL = dict.fromkeys(("stochastic", "deterministic", "coloured", "noise", "zero"), RETURNS)
FINISHED: dict[str, Any] = {
    "returns": {"episodes": 2, "steps": 9, **RETURNS_OF_ALL},
    "steps": 1,
    "hardware": "",
    "settings": {},
}


def make_expert(observations=5, hidden=(7, 3), actions=2, **provenance):
    """A random expert of these sizes; `provenance` overrides its provenance."""
    rng = np.random.default_rng(1)
    sizes = [observations, *hidden, 2 * actions]
    tensors = {"observation_mean": rng.normal(size=observations), "observation_std": rng.uniform(0.5, 2, observations)}
    for number, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        tensors[f"policy/{number}/kernel"] = rng.normal(size=(rows, columns))
        tensors[f"policy/{number}/bias"] = rng.normal(size=columns)
    defaults = {"task": TASK, "seed": 0, "network": "swish-mlp", "action_size": actions, "observation_clip": 5.0}
    return Expert({name: array.astype(np.float32) for name, array in tensors.items()}, {**defaults, **provenance})
