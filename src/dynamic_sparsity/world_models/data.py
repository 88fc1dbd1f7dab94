"""Transitions for world models: read from stores, split by episode, standardised by the training part."""

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
"""A model is rolled out from every fifth step: rollouts from neighbouring steps are nearly alike, and take time."""


@dataclass(frozen=True)
class Transitions:
    """Recorded steps of some episodes, with their Jacobians."""

    inputs: Float[np.ndarray, "step in_dim"]
    """State and control."""
    outputs: Float[np.ndarray, "step out_dim"]
    """The next state, or how the state changes (`of_stores`)."""
    jacobian: Float[np.ndarray, "step out_dim in_dim"]
    """Derivative of the outputs with respect to the inputs."""
    zero: Bool[np.ndarray, "step out_dim in_dim"]
    """True where the sparsity store calls the entry zero."""
    episode: Int[np.ndarray, " step"]
    """Number of the episode that each step belongs to."""
    policies: tuple[str, ...]
    """Policy of every episode of all stores, by episode number, also of episodes whose steps are left out."""

    @classmethod
    def of_stores(
        cls, rollouts: Sequence[xr.Dataset], jacobians: Sequence[xr.Dataset], sparsity: Sequence[xr.Dataset], *, change: bool
    ) -> Transitions:
        """All episodes of all stores, numbered consecutively.

        With `change`, the outputs are changes of the state instead of next states, and the Jacobian is that of the
        change.

        Raises UserError if the stores belong to different tasks, policies or seeds, or if the task has free or ball
        joints.
        """
        parts, policies = [], []
        tasks = {data.attrs["task"] for data in (*rollouts, *jacobians, *sparsity)}
        if len(tasks) > 1:
            raise UserError(f"stores of different runs: {sorted(tasks)}; pass the stores of one task")
        for rollout, jacobian, zeros in zip(rollouts, jacobians, sparsity, strict=True):
            _check_alike(rollout, jacobian, zeros)
            for triple in zip(*(episodes_of(data) for data in (rollout, jacobian, zeros)), strict=True):
                parts.append(_episode(*triple, change=change))
                policies.append(rollout.attrs["policy"])
        episode_of_step = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)), episode_of_step, tuple(policies))

    def of_episodes(self, episodes: Sequence[int]) -> Transitions:
        """The steps of the episodes with these numbers."""
        return self._select(np.flatnonzero(np.isin(self.episode, episodes)))

    @functools.cached_property
    def known(self) -> Bool[np.ndarray, " step"]:
        """Steps whose Jacobian is finite in every entry. The other steps are neither learnt from nor scored."""
        return np.asarray(np.isfinite(self.jacobian).all(axis=(1, 2)))

    def part(self, split: Mapping[str, Sequence[int]], name: str) -> Transitions:
        """The `known` steps of the part `name` of a split. Raises UserError if there are none."""
        transitions = self.of_episodes(split[name])
        if not transitions.known.any():
            raise UserError(
                f"no step of the {name} episodes {list(split[name])} has a Jacobian that is finite in every entry:"
                " remove this task from world_models.tasks, or check its rollouts"
            )
        return transitions._select(np.flatnonzero(transitions.known))

    def _select(self, steps: Int[np.ndarray, " chosen"]) -> Transitions:
        arrays = (self.inputs, self.outputs, self.jacobian, self.zero, self.episode)
        return Transitions(*(array[steps] for array in arrays), self.policies)


def _check_alike(rollout: xr.Dataset, jacobian: xr.Dataset, zeros: xr.Dataset) -> None:
    """Raise UserError unless the three stores have the same policy and seed and the state has no orientations."""
    for name in ("policy", "seed"):
        values = [data.attrs[name] for data in (rollout, jacobian, zeros)]
        if len(set(values)) > 1:
            raise UserError(
                f"stores of different runs: {name} {values}; pass rollouts, Jacobians and sparsity of the same policies"
                " and seeds, in the same order"
            )
    if rollout.sizes["qpos_dim"] != rollout.sizes["dof"]:
        raise UserError(
            f"{rollout.attrs['task']} has free or ball joints, whose orientations world models cannot predict yet:"
            " remove it from world_models.tasks"
        )


def _episode(rollout: xr.Dataset, jacobian: xr.Dataset, zeros: xr.Dataset, *, change: bool) -> tuple[np.ndarray, ...]:
    """Inputs, outputs, Jacobian and zeros of one episode, as the fields of `Transitions`."""
    state = np.concatenate([rollout[name].values for name in ("qpos", "qvel", "act")], axis=1, dtype=float)
    outputs = np.concatenate([rollout[f"next_{name}"].values for name in ("qpos", "qvel", "act")], axis=1, dtype=float)
    matrix = jacobian.jacobian.values
    if change:
        outputs, matrix = outputs - state, matrix - np.eye(*matrix.shape[1:])
    return np.concatenate([state, rollout.ctrl.values], axis=1), outputs, matrix, zeros.zero.values


def split_episodes(policies: Sequence[str], validation: float, test: float, seed: int) -> dict[str, list[int]]:
    """Numbers of the training, validation and test episodes, drawn without replacement.

    `policies` lists the policy of every episode. Every part has at least one episode and roughly its share of the
    episodes of each policy. `seed` is the training seed. Raises UserError if there are fewer than three episodes.
    """
    episodes = len(policies)
    if episodes < EPISODES_TO_SPLIT:
        raise UserError(
            f"{episodes} episodes cannot be split into training, validation and test: raise rollouts.episodes or list more"
            f" seeds, so that there are at least {EPISODES_TO_SPLIT} episodes in total"
        )
    drawn = np.random.default_rng(seed).permutation(episodes)
    policy_of_drawn = np.array(policies)[drawn]
    share = np.empty(episodes)  # share of the same policy's episodes that were drawn earlier
    for policy in set(policies):
        is_policy = policy_of_drawn == policy
        share[is_policy] = (np.arange(is_policy.sum()) + 0.5) / is_policy.sum()
    order = drawn[np.argsort(share, kind="stable")]
    test_count = max(1, round(episodes * test))
    validation_count = max(1, min(round(episodes * validation), episodes - test_count - 1))
    test_count = min(test_count, episodes - validation_count - 1)
    cuts = np.split(order, [episodes - validation_count - test_count, episodes - test_count])
    return {part: sorted(cut.tolist()) for part, cut in zip(PARTS, cuts, strict=True)}


@dataclass(frozen=True)
class Standardiser:
    """Means and standard deviations of the inputs and outputs of the training part."""

    input_mean: Float[np.ndarray, " in_dim"]
    input_scale: Float[np.ndarray, " in_dim"]
    output_mean: Float[np.ndarray, " out_dim"]
    output_scale: Float[np.ndarray, " out_dim"]

    @classmethod
    def of(cls, training: Transitions, input_labels: Sequence[str], output_labels: Sequence[str]) -> Standardiser:
        """Fit to the training part. Raises UserError naming the first variable that never changes."""
        scales = [array.std(axis=0) for array in (training.inputs, training.outputs)]
        for kind, labels, array, scale in (
            ("input", input_labels, training.inputs, scales[0]),
            ("next state", output_labels, training.outputs, scales[1]),
        ):
            for number in np.flatnonzero(~(scale > 1e-12 * (1 + np.abs(array).max(axis=0, initial=0)))):
                raise UserError(
                    f"{kind} {labels[number]} is constant ({array[0, number]:.6g}) in the training episodes, so a model"
                    " cannot learn from it: use a policy that moves it, record more episodes, or remove this task from"
                    " world_models.tasks"
                )
        return cls(training.inputs.mean(axis=0), scales[0], training.outputs.mean(axis=0), scales[1])

    def __call__(self, transitions: Transitions) -> Transitions:
        """Standardised inputs and outputs, and the Jacobian between them.

        An entry of the Jacobian is multiplied by the scale of its input and divided by the scale of its output.
        """
        return Transitions(
            (transitions.inputs - self.input_mean) / self.input_scale,
            (transitions.outputs - self.output_mean) / self.output_scale,
            transitions.jacobian * self.input_scale / self.output_scale[:, None],
            transitions.zero,
            transitions.episode,
            transitions.policies,
        )
