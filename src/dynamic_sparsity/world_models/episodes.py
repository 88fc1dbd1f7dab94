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
"""Steps that are scored apart: all, no active constraint, an active contact, an active limit, within 2 steps of a switch.
None holds a step whose Jacobian is not finite in every entry."""
_NEAR = 2


@dataclass(frozen=True)
class Episode:
    """A test episode: the truth, and which steps are of which condition."""

    jacobian: Float[np.ndarray, "step out_dim in_dim"]
    zero: Bool[np.ndarray, "step out_dim in_dim"]
    conditions: Mapping[str, Bool[np.ndarray, " step"]]

    @property
    def known(self) -> Bool[np.ndarray, " step"]:
        """Steps that are scored at all."""
        return self.conditions["all"]

    @functools.cached_property
    def oracle(self) -> dict[str, float]:
        """AUROC of the static oracle of the steps of each condition; NaN for one without steps."""
        return {
            name: scores.auroc(scores.static_oracle(self.zero, here)[here], self.zero[here]) if here.any() else np.nan
            for name, here in self.conditions.items()
        }


def conditions(sparsity: xr.Dataset) -> dict[str, Bool[np.ndarray, " step"]]:
    """Which steps of an episode of a sparsity store are of each of CONDITIONS."""
    kinds = sparsity.constraint_kind.values
    active = {kind: sparsity.constraint_active.values[:, kinds == kind].any(axis=1) for kind in set(kinds.tolist())}
    none = np.zeros(sparsity.sizes[TIME], bool)
    limit = active.get("joint_limit", none) | active.get("tendon_limit", none)
    known = sparsity.finite.values.all(axis=(1, 2))
    switched = np.flatnonzero(scores.switches(sparsity.zero.values, known))
    near = np.abs(np.arange(len(none))[:, None] - switched).min(axis=1, initial=len(none)) <= _NEAR
    found = {
        "all": ~none,
        "free": sparsity.constraint_free.values,
        "contact": active.get("contact", none),
        "limit": limit,
        "near_switch": near,
    }
    return {condition: here & known for condition, here in found.items()}


def truth_of_episodes(data: Transitions, sparsity: Sequence[xr.Dataset], numbers: Sequence[int]) -> list[Episode]:
    """The truth of episodes by their number over all seeds."""
    places = [(store, number) for store in sparsity for number in range(store.sizes[EPISODE])]
    found = []
    for number in numbers:
        store, place = places[number]
        (episode,) = episodes_of(store.isel({EPISODE: [place]}))
        own = data.of_episodes([number])
        found.append(Episode(own.jacobian, own.zero, conditions(episode)))
    return found
