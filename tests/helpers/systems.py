"""Systems written by hand, whose Jacobians and zeros are known, to test world models on."""

import numpy as np
import xarray as xr

from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.data import Standardiser, Transitions, split_episodes

IN, OUT = 5, 3
SWITCHED = KinematicTree(parents=(-1, 0, -1), of_inputs=((0,), (1,), (2,), (0,), (1, 2)), of_outputs=(0, 1, 2))
"""Two trees: a chain of two degrees of freedom, and a single one."""
STEPS, EPISODES = 60, 4
MASSES = KinematicTree(parents=(-1, -1), of_inputs=((0,), (1,), (0,), (1,), (0,)), of_outputs=(0, 1, 0, 1))
"""The tree of the colliding masses."""


def switched(steps=400, episodes=4, seed=0):
    """A linear system that switches: the last input acts on the first output only where the first input is positive."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, IN))
    matrix = np.array([[1.0, 0.5, 0, 0, 0], [0, 1.0, 0, -0.7, 0], [0, 0, 0.9, 0, 0.3]])
    jacobian = np.repeat(matrix[None], steps, axis=0)
    jacobian[x[:, 0] > 0, 0, 4] = 2.0
    y = np.einsum("soi,si->so", jacobian, x)
    return Transitions(x, y, jacobian, jacobian == 0, np.arange(steps) * episodes // steps, ("expert",) * episodes)


def parts(transitions):
    """Standardised training, validation and test parts."""
    standardised, standardise, test = parts_of(transitions, seed=0)
    return {**standardised, "test": standardise(test)}


def parts_of(data, seed):
    """({training and validation, standardised}, the standardiser, the test part not standardised)."""
    split = split_episodes(data.policies, 0.25, 0.25, seed=seed)
    standardise = Standardiser.of(data.of_episodes(split["training"]), *map(_names, (data.inputs, data.outputs)))
    standardised = {part: standardise(data.of_episodes(split[part])) for part in ("training", "validation")}
    return standardised, standardise, data.of_episodes(split["test"])


def _names(array):
    return [str(number) for number in range(array.shape[1])]


def colliding_masses(seed):
    """Two masses on a line that push each other while they overlap: (rollout, jacobian, sparsity) stores of a seed."""
    state, ctrl, following, jacobian, touching = _collisions(seed)
    attrs = {"task": "Masses", "policy": "noise", "seed": seed, "method": "exact"}
    length = ("episode", np.full(EPISODES, STEPS))
    states = {
        "qpos": state[..., :2],
        "qvel": state[..., 2:],
        "next_qpos": following[..., :2],
        "next_qvel": following[..., 2:],
    }
    dims = {"qpos": "qpos_dim", "next_qpos": "qpos_dim"}
    rollout = xr.Dataset(
        {
            **{name: (("episode", "time", dims.get(name, "dof")), array) for name, array in states.items()},
            **{name: (("episode", "time", "activation"), np.zeros((EPISODES, STEPS, 0))) for name in ("act", "next_act")},
            "ctrl": (("episode", "time", "actuator"), ctrl),
            "length": length,
        },
        attrs=attrs,
    )
    names = ["qpos:a", "qpos:b", "qvel:a", "qvel:b"]
    coords = {"out_dim": names, "in_dim": [*names, "ctrl:a"]}
    matrices = ("episode", "time", "out_dim", "in_dim")
    jacobians = xr.Dataset({"jacobian": (matrices, jacobian), "length": length}, coords=coords, attrs=attrs)
    sparsity = xr.Dataset(
        {
            "zero": (matrices, jacobian == 0),
            "finite": (matrices, np.isfinite(jacobian)),
            "constraint_active": (("episode", "time", "constraint"), touching[..., None]),
            "constraint_free": (("episode", "time"), ~touching),
            "length": length,
        },
        coords={**coords, "constraint_kind": ("constraint", ["contact"])},
        attrs=attrs,
    )
    return rollout, jacobians, sparsity


def _collisions(seed):
    """State, control, next state, Jacobian and contact of every step, [episode, time, …]."""
    rng = np.random.default_rng(seed)
    h, stiffness = 0.05, 30.0
    state = rng.normal(size=(EPISODES, STEPS, 4)) * [0.5, 0.5, 1, 1]
    ctrl = rng.normal(size=(EPISODES, STEPS, 1))
    overlap = np.maximum(0, state[..., 0] - state[..., 1])
    touching = overlap > 0
    force = stiffness * overlap
    velocity = state[..., 2:] + h * np.stack([ctrl[..., 0] - force, force], axis=-1)
    following = np.concatenate([state[..., :2] + h * velocity, velocity], axis=-1)
    jacobian = np.zeros((EPISODES, STEPS, 4, 5))
    push = h * stiffness * touching
    jacobian[..., 2, 0], jacobian[..., 2, 1], jacobian[..., 3, 0], jacobian[..., 3, 1] = -push, push, push, -push
    jacobian[..., 2, 2] = jacobian[..., 3, 3] = 1
    jacobian[..., 2, 4] = h
    jacobian[..., :2, :] = h * jacobian[..., 2:, :]
    jacobian[..., 0, 0] += 1
    jacobian[..., 1, 1] += 1
    return state, ctrl, following, jacobian, touching
