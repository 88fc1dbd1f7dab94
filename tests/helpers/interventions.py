"""Effects of moves, made up: 4 state variables, 2 controls, 3 sizes of a move; and the stores that summarise them."""

import numpy as np
import xarray as xr

from dynamic_sparsity.settings.interventions import REFERENCE, InterventionSettings
from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.sparsity import interventions
from tests.helpers.arrays import IN_LABELS, OUT_LABELS
from tests.helpers.synthetic import ATTRS, CONSTRAINTS

SETTINGS = InterventionSettings(moves=[0.5, 2.0], weak=[1e-3, 0.5])
SIZES = [REFERENCE, 0.5, 2.0]
DIRECTIONS = [-1.0, 1.0]
RESAMPLING = ResamplingSettings(resamples=40)


def effects(jacobian, change, *, active=None, scale=None, step=None, inputs=None, outputs=None, seed=0):
    """Effects at the sampled steps of one study seed.

    `jacobian`: [episode, sample, 4, 6]; `change`: [episode, sample, size, direction, 4, 6]; `active`: [episode, sample,
    constraint], of a contact and a joint limit.
    """
    episodes, samples = jacobian.shape[:2]
    active = np.zeros((episodes, samples, 2), bool) if active is None else active
    step = np.broadcast_to(np.arange(samples, dtype=np.int32), (episodes, samples)) if step is None else step
    arrays = {
        "jacobian": (("episode", "sample", "out_dim", "in_dim"), jacobian),
        "change": (("episode", "sample", "size", "direction", "out_dim", "in_dim"), change),
        "scale": (("episode", "sample", "out_dim"), np.ones((episodes, samples, 4)) if scale is None else scale),
        "repeat_change": (("episode", "sample"), np.full((episodes, samples), 1e-17)),
        "constraint_active": (("episode", "sample", "constraint"), active),
        "step": (("episode", "sample"), step),
        "input_deviation": ("in_dim", np.ones(6) if inputs is None else np.asarray(inputs)),
        "output_deviation": ("out_dim", np.ones(4) if outputs is None else np.asarray(outputs)),
    }
    kinds = ("constraint", ["contact", "joint_limit"])
    moves = {"size": SIZES, "direction": DIRECTIONS}
    coords = {"out_dim": OUT_LABELS, "in_dim": IN_LABELS, "constraint": CONSTRAINTS, "constraint_kind": kinds, **moves}
    return xr.Dataset(arrays, coords, {**ATTRS, "seed": seed})


def linear(jacobian, inputs=None):
    """The changes of a linear step: J dx exactly."""
    moves = np.multiply.outer(np.multiply.outer(SIZES, DIRECTIONS), np.ones(6) if inputs is None else inputs)
    return jacobian[:, :, None, None] * moves[:, :, None, :]


def random_effects(rng, episodes=3, samples=5, seed=0):
    """Effects with zeros, weak entries, entries and changes that are not finite, inputs that never vary, and padding."""
    jacobian = rng.choice([0.0, 1e-13, 1e-4, 0.3, 2.0], (episodes, samples, 4, 6)) * rng.choice([-1, 1], (4, 6))
    jacobian[rng.random(jacobian.shape) < 0.03] = np.nan
    inputs, outputs = rng.uniform(0.1, 2, 6), rng.uniform(0.1, 2, 4)
    inputs[5], outputs[3] = 0.0, 0.0
    change = linear(np.nan_to_num(jacobian), inputs) * rng.uniform(0.5, 1.5, (episodes, samples, 3, 2, 4, 6))
    change += rng.choice([0.0, 1e-11, 1e-3], change.shape, p=[0.8, 0.1, 0.1])
    change[rng.random(change.shape) < 0.01] = np.nan
    step = np.broadcast_to(np.arange(samples, dtype=np.int32), (episodes, samples)).copy()
    step[-1, 3:], jacobian[-1, 3:], change[-1, 3:] = -1, np.nan, np.nan
    active = (rng.random((episodes, samples, 2)) < 0.4) & (step >= 0)[..., None]
    scale = 1 + rng.random((episodes, samples, 4))
    return effects(jacobian, change, active=active, scale=scale, step=step, inputs=inputs, outputs=outputs, seed=seed)


def summarised(*seeds, **attrs):
    """The intervention store of these effects."""
    result = interventions.summarise(seeds, 1e-12, SETTINGS, RESAMPLING)
    return result.assign_attrs({**ATTRS, "kind": "interventions", "seeds": [seed.attrs["seed"] for seed in seeds], **attrs})
