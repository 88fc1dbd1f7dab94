"""Transitions for world models: split by episode, standardised by what the training part holds."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import EPISODES_TO_SPLIT
from dynamic_sparsity.stores.runs import episodes_of

PARTS = ("training", "validation", "test")
ROLLOUT_EVERY = 5
"""Rollouts of a model start at every fifth step: those of neighbouring ones are much alike, and take time."""


@dataclass(frozen=True)
class Transitions:
    """Recorded steps of some episodes with their Jacobians."""

    inputs: Float[np.ndarray, "step in_dim"]
    """State and control."""
    outputs: Float[np.ndarray, "step out_dim"]
    """The next state."""
    jacobian: Float[np.ndarray, "step out_dim in_dim"]
    zero: Bool[np.ndarray, "step out_dim in_dim"]
    """Where the Jacobian is zero, as the study decides it."""
    episode: Int[np.ndarray, " step"]
    policies: tuple[str, ...]
    """Who acted in each episode, by its number; of all episodes that there are, these or not."""

    @classmethod
    def of_stores(
        cls, rollouts: Sequence[xr.Dataset], jacobians: Sequence[xr.Dataset], sparsity: Sequence[xr.Dataset], *, change: bool
    ) -> Transitions:
        """All episodes of all stores, numbered through; `change`: outputs are how the state changes, and so its Jacobian.

        Raises UserError for stores of different runs, and for a task whose state has orientations.
        """
        parts, policies = [], []
        tasks = {data.attrs["task"] for data in (*rollouts, *jacobians, *sparsity)}
        if len(tasks) > 1:
            raise UserError(f"stores of different runs: {sorted(tasks)}; give those of one task")
        for rollout, jacobian, zeros in zip(rollouts, jacobians, sparsity, strict=True):
            for name in ("policy", "seed"):
                values = [data.attrs[name] for data in (rollout, jacobian, zeros)]
                if len(set(values)) > 1:
                    raise UserError(
                        f"stores of different runs: {name} {values}; give rollouts, Jacobians and zeros of the same policies"
                        " and seeds, in the same order"
                    )
            if rollout.sizes["qpos_dim"] != rollout.sizes["dof"]:
                raise UserError(
                    f"{rollout.attrs['task']} has free or ball joints, whose orientations the world models do not know yet:"
                    " leave it out of world_models.tasks"
                )
            for triple in zip(*(episodes_of(data) for data in (rollout, jacobian, zeros)), strict=True):
                parts.append(_episode(*triple, change=change))
                policies.append(rollout.attrs["policy"])
        of_steps = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)), of_steps, tuple(policies))

    def of_episodes(self, episodes: Sequence[int]) -> Transitions:
        """The steps of some episodes."""
        return self._at(np.flatnonzero(np.isin(self.episode, episodes)))

    @functools.cached_property
    def known(self) -> Bool[np.ndarray, " step"]:
        """Which steps have a Jacobian that is finite in every entry: others are neither learnt from nor scored."""
        return np.asarray(np.isfinite(self.jacobian).all(axis=(1, 2)))

    def part(self, split: Mapping[str, Sequence[int]], name: str) -> Transitions:
        """The known steps of `training` or `validation`. Raises UserError where there is none."""
        found = self.of_episodes(split[name])
        if not found.known.any():
            raise UserError(
                f"no step of the {name} episodes {list(split[name])} has a Jacobian that is finite in every entry:"
                " leave this task out of world_models.tasks, or look at its states"
            )
        return found._at(np.flatnonzero(found.known))

    def _at(self, steps: Int[np.ndarray, " chosen"]) -> Transitions:
        chosen = (array[steps] for array in (self.inputs, self.outputs, self.jacobian, self.zero, self.episode))
        return Transitions(*chosen, self.policies)


def _episode(rollout: xr.Dataset, jacobian: xr.Dataset, zeros: xr.Dataset, *, change: bool) -> tuple[np.ndarray, ...]:
    state = np.concatenate([rollout[name].values for name in ("qpos", "qvel", "act")], axis=1, dtype=float)
    following = np.concatenate([rollout[f"next_{name}"].values for name in ("qpos", "qvel", "act")], axis=1, dtype=float)
    matrix = jacobian.jacobian.values
    if change:
        following, matrix = following - state, matrix - np.eye(*matrix.shape[1:])
    return np.concatenate([state, rollout.ctrl.values], axis=1), following, matrix, zeros.zero.values


def split_episodes(policies: Sequence[str], validation: float, test: float, seed: int) -> dict[str, list[int]]:
    """Episodes of each part, drawn without replacement; every part has at least one, and about its share of each policy's.

    `policies`: who acted in each episode. Raises UserError when there are fewer than three episodes.
    """
    episodes = len(policies)
    if episodes < EPISODES_TO_SPLIT:
        raise UserError(
            f"{episodes} episodes cannot be split into training, validation and test: raise rollouts.episodes or list more"
            f" seeds, so that there are at least {EPISODES_TO_SPLIT} in all"
        )
    drawn = np.random.default_rng(seed).permutation(episodes)
    acted = np.array(policies)[drawn]
    share = np.empty(episodes)  # of the episodes of the same policy that come before
    for policy in set(policies):
        share[acted == policy] = (np.arange((acted == policy).sum()) + 0.5) / (acted == policy).sum()
    order = drawn[np.argsort(share, kind="stable")]
    last = max(1, round(episodes * test))
    middle = max(1, min(round(episodes * validation), episodes - last - 1))
    last = min(last, episodes - middle - 1)
    cuts = np.split(order, [episodes - middle - last, episodes - last])
    return {part: sorted(cut.tolist()) for part, cut in zip(PARTS, cuts, strict=True)}


@dataclass(frozen=True)
class Standardiser:
    """Means and standard deviations of the training part."""

    input_mean: Float[np.ndarray, " in_dim"]
    input_scale: Float[np.ndarray, " in_dim"]
    output_mean: Float[np.ndarray, " out_dim"]
    output_scale: Float[np.ndarray, " out_dim"]

    @classmethod
    def of(cls, training: Transitions, input_labels: Sequence[str], output_labels: Sequence[str]) -> Standardiser:
        """Raises UserError naming a variable that never changes."""
        scales = [array.std(axis=0) for array in (training.inputs, training.outputs)]
        for kind, labels, array, scale in (
            ("input", input_labels, training.inputs, scales[0]),
            ("next state", output_labels, training.outputs, scales[1]),
        ):
            for number in np.flatnonzero(~(scale > 1e-12 * (1 + np.abs(array).max(axis=0, initial=0)))):
                raise UserError(
                    f"{kind} {labels[number]} is constant ({array[0, number]:.6g}) in the training episodes, so nothing can"
                    " be learnt of it: use a policy that moves it, more episodes, or leave this task out of"
                    " world_models.tasks"
                )
        return cls(training.inputs.mean(axis=0), scales[0], training.outputs.mean(axis=0), scales[1])

    def __call__(self, transitions: Transitions) -> Transitions:
        """Standardised inputs and outputs, and the Jacobian between them: entries times scale of input / of output."""
        return Transitions(
            (transitions.inputs - self.input_mean) / self.input_scale,
            (transitions.outputs - self.output_mean) / self.output_scale,
            transitions.jacobian * self.input_scale / self.output_scale[:, None],
            transitions.zero,
            transitions.episode,
            transitions.policies,
        )
