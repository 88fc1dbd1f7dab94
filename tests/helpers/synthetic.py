"""Made-up stores of a system whose zeros are known: 4 state variables, 2 controls, one contact, one joint limit."""

import numpy as np
import xarray as xr

from dynamic_sparsity.sparsity import zeros
from dynamic_sparsity.stores.schema import EPISODE
from tests.helpers.arrays import IN_LABELS, OUT_LABELS

ATTRS = {"task": "CartpoleBalance", "policy": "noise", "method": "exact", "threshold": 1e-12, "control_timestep": 0.01}
THRESHOLDS = [1e-14, 1e-12, 1e-3]
CONSTRAINTS = ["contact:floor/foot", "joint_limit:a"]


def jacobian_episode(rng, steps, touching, length=None):
    """In column qpos:a only the diagonal is not zero, except while the limit is loaded; J_a is never zero."""
    values = rng.uniform(0.5, 1.5, (steps, 4, 6))
    values[:, 1:, 0] = np.where(touching[:, None], values[:, 1:, 0], 0.0)
    length = steps if length is None else length
    values[length:] = np.nan
    active = np.stack([np.zeros(steps, bool), touching], axis=1)
    dims = {"constraint": CONSTRAINTS, "constraint_kind": ("constraint", ["contact", "joint_limit"])}
    return xr.Dataset(
        {
            "jacobian": (("time", "out_dim", "in_dim"), values),
            "constraint_active": (("time", "constraint"), active),
            "constraint_loaded": (("time", "constraint"), active),
            "length": ((), np.int32(length)),
        },
        {"out_dim": OUT_LABELS, "in_dim": IN_LABELS, **dims},
    )


def sparsity_store(seed, touching, lengths=None):
    """A sparsity store in memory; `touching`: [episode, time], when the limit is loaded."""
    rng = np.random.default_rng(seed)
    episodes, steps = touching.shape
    lengths = [steps] * episodes if lengths is None else lengths
    summaries = []
    for touch, length in zip(touching, lengths, strict=True):
        episode = jacobian_episode(rng, steps, touch, length).isel(time=slice(length))
        summaries.append(zeros.pad_time(zeros.summarise_episode(episode, 1e-12, THRESHOLDS), steps))
    store = xr.concat(summaries, dim=EPISODE, coords="minimal", compat="override")
    return store.assign_coords({EPISODE: np.arange(episodes)}).assign_attrs({**ATTRS, "seed": seed})


def with_objects(dataset):
    """`dataset` with the joints and objects of its variables: `a` and `b`, each with one joint, driven by `u` and `v`."""
    groups = {"out": ("out_dim", ["a", "b"] * 2), "in": ("in_dim", ["a", "b"] * 3)}
    return dataset.assign_coords({f"{end}_{level}": of for end, of in groups.items() for level in ("joint", "object")})


def jacobian_store(sparsity):
    """A Jacobian store in memory with the masks of a sparsity store: entries are 0, 1 or NaN."""
    values = xr.where(sparsity.finite, xr.where(sparsity.zero, 0.0, 1.0), np.nan)
    return with_objects(xr.Dataset({"jacobian": values, "length": sparsity.length}, attrs=sparsity.attrs))


def rollout_store(seed, episodes, steps, *, reward=0.5, **attrs):
    """A rollout store in memory: a slow circle in qpos, one control, a constant reward."""
    phase = np.linspace(0, 6, episodes * steps).reshape(episodes, steps) + seed
    qpos = np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    ctrl = phase[..., None]
    none = np.zeros((episodes, steps, 0))
    arrays = {"qpos": qpos, "qvel": -qpos, "act": none, "ctrl": ctrl, "next_qpos": qpos, "next_qvel": qpos, "next_act": none}
    return xr.Dataset(
        {
            **{name: ((EPISODE, "time", f"{name}_dim"), array) for name, array in arrays.items()},
            "reward": ((EPISODE, "time"), np.full((episodes, steps), reward)),
            "length": (EPISODE, np.full(episodes, steps, np.int32)),
        },
        attrs={**ATTRS, "kind": "rollouts", "seed": seed, **attrs},
    )
