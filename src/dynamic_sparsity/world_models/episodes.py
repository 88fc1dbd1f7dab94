"""The truth of single episodes: the Jacobian, its zeros, and which steps belong to which condition."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import EPISODE, TIME
from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.data import Transitions

CONDITIONS = ("all", "free", "contact", "limit", "near_switch")
"""Groups of steps that are scored separately: all steps, no active constraint, an active contact, an active joint or
tendon limit, at most 2 steps from a switch. None of them includes a step whose Jacobian has an entry that is not
finite."""
_NEAR = 2


@dataclass(frozen=True)
class Episode:
    """The truth of a test episode, and the steps of each condition."""

    jacobian: Float[np.ndarray, "step out_dim in_dim"]
    zero: Bool[np.ndarray, "step out_dim in_dim"]
    conditions: Mapping[str, Bool[np.ndarray, " step"]]

    @property
    def known(self) -> Bool[np.ndarray, " step"]:
        """Steps that are scored: those whose Jacobian is finite in every entry."""
        return self.conditions["all"]

    @functools.cached_property
    def oracle(self) -> dict[str, float]:
        """AUROC of the static oracle within the steps of each condition; NaN for a condition without steps."""
        return {
            name: scores.auroc(scores.static_oracle(self.zero, steps)[steps], self.zero[steps]) if steps.any() else np.nan
            for name, steps in self.conditions.items()
        }


def conditions(sparsity: xr.Dataset) -> dict[str, Bool[np.ndarray, " step"]]:
    """Which steps of one episode of a sparsity store belong to each of CONDITIONS."""
    kinds = sparsity.constraint_kind.values
    active = {kind: sparsity.constraint_active.values[:, kinds == kind].any(axis=1) for kind in set(kinds.tolist())}
    none = np.zeros(sparsity.sizes[TIME], bool)
    limit = active.get("joint_limit", none) | active.get("tendon_limit", none)
    known = sparsity.finite.values.all(axis=(1, 2))
    switched = np.flatnonzero(scores.switches(sparsity.zero.values, known))
    near = np.abs(np.arange(len(none))[:, None] - switched).min(axis=1, initial=len(none)) <= _NEAR
    steps_of = {
        "all": ~none,
        "free": sparsity.constraint_free.values,
        "contact": active.get("contact", none),
        "limit": limit,
        "near_switch": near,
    }
    return {condition: steps & known for condition, steps in steps_of.items()}


def truth_of_episodes(data: Transitions, sparsity: Sequence[xr.Dataset], numbers: Sequence[int]) -> list[Episode]:
    """The truth of the episodes with these numbers, counted over the stores of all seeds."""
    places = [(store, number) for store in sparsity for number in range(store.sizes[EPISODE])]
    episodes = []
    for number in numbers:
        store, place = places[number]
        (zeros,) = episodes_of(store.isel({EPISODE: [place]}))
        transitions = data.of_episodes([number])
        episodes.append(Episode(transitions.jacobian, transitions.zero, conditions(zeros)))
    return episodes
