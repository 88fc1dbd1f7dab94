"""Names that all stores share: dims, attributes, versions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

SCHEMA_VERSION = 2
"""Raised when the arrays or attributes of a store change their meaning."""

EPISODE, TIME, OUT, IN, CONSTRAINT = "episode", "time", "out_dim", "in_dim", "constraint"

LENGTH = "length"

VARIABLES = {
    "rollouts": {"qpos": (EPISODE, TIME, "qpos_dim"), "qvel": (EPISODE, TIME, "dof"), LENGTH: (EPISODE,)},
    "jacobians": {"jacobian": (EPISODE, TIME, OUT, IN), LENGTH: (EPISODE,)},
    "ablation_jacobians": {"jacobian": (EPISODE, "way", TIME, OUT, IN), LENGTH: (EPISODE,)},
    "sparsity": {**dict.fromkeys(("zero", "finite"), (EPISODE, TIME, OUT, IN)), LENGTH: (EPISODE,)},
    "world_models": {"jacobian": (EPISODE, TIME, OUT, IN), LENGTH: (EPISODE,)},
}
"""What every reader of these kinds takes for granted."""

SIMULATING = ("rollouts", "jacobians", "ablation_jacobians", "world_models")
"""Kinds of stores that are made with these packages; what is made of such a store says which versions made it."""

RUN = ("task", "policy", "method", "variant", "control_timestep", "substeps", "threshold")
"""Attributes that say what a store is of."""


def labels(names: Iterable[str]) -> np.ndarray:
    """Names as an array of the string type that Zarr v3 specifies."""
    return np.array(list(names), dtype=np.dtypes.StringDType())


def padded(array: np.ndarray, steps: int) -> np.ndarray:
    """`array` (time first) to `steps` steps: NaN after the end for floats, 0 or False for the rest."""
    fill = np.nan if array.dtype.kind == "f" else 0
    end = np.full((steps - len(array), *array.shape[1:]), fill, dtype=array.dtype)
    return np.concatenate([array, end])
