"""Names that all stores share: dims, variables, attributes and the schema version."""

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
"""Variables, with their dims, that stores of these kinds always have."""

SIMULATING = ("rollouts", "jacobians", "ablation_jacobians", "world_models")
"""Kinds of stores that the simulator makes. Stores that are computed from these keep its versions."""

RUN = ("task", "policy", "method", "variant", "control_timestep", "substeps", "threshold")
"""Attributes that identify the run of a store."""


def labels(names: Iterable[str]) -> np.ndarray:
    """Names as an array of the string type that Zarr v3 specifies."""
    return np.array(list(names), dtype=np.dtypes.StringDType())


def padded(array: np.ndarray, steps: int) -> np.ndarray:
    """`array` (time first) to `steps` steps: NaN after the end for floats, 0 or False for the rest."""
    fill = np.nan if array.dtype.kind == "f" else 0
    end = np.full((steps - len(array), *array.shape[1:]), fill, dtype=array.dtype)
    return np.concatenate([array, end])
