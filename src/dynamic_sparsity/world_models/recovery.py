"""How well world models recover the zeros of the Jacobian in episodes that they have not seen, beside simple controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from sklearn.neighbors import NearestNeighbors

from dynamic_sparsity.settings import WorldModelsSettings
from dynamic_sparsity.stores import EPISODE, IN, OUT, TIME, episodes_of, labels
from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.data import Standardiser, Transitions, split_episodes

CONDITIONS = ("all", "free", "contact", "limit", "near_switch")
"""Steps that are scored apart: all, no active constraint, an active contact, an active limit, within 2 steps of a switch."""
BASES = ("scaled", "raw", "mask")
"""Magnitudes that are scored: entries of the Jacobian times scale of input / of output, as they are, and masks."""
CONTROLS = ("linear", "neighbours", "static_oracle", "truth")
_NEAR, _NEIGHBOURS = 2, 50


@dataclass(frozen=True)
class Episode:
    """A test episode: the truth, and which steps are of which condition."""

    jacobian: Float[np.ndarray, "step out_dim in_dim"]
    zero: Bool[np.ndarray, "step out_dim in_dim"]
    conditions: Mapping[str, Bool[np.ndarray, " step"]]


def conditions(sparsity: xr.Dataset) -> dict[str, Bool[np.ndarray, " step"]]:
    """Which steps of an episode of a sparsity store are of each of CONDITIONS."""
    kinds = sparsity.constraint_kind.values
    active = {kind: sparsity.constraint_active.values[:, kinds == kind].any(axis=1) for kind in set(kinds.tolist())}
    none = np.zeros(sparsity.sizes[TIME], bool)
    limit = active.get("joint_limit", none) | active.get("tendon_limit", none)
    switched = np.flatnonzero(scores.switches(sparsity.zero.values))
    near = np.abs(np.arange(len(none))[:, None] - switched).min(axis=1, initial=len(none)) <= _NEAR
    return {
        "all": ~none,
        "free": sparsity.constraint_free.values,
        "contact": active.get("contact", none),
        "limit": limit,
        "near_switch": near,
    }


def score_episode(
    magnitudes: Mapping[str, np.ndarray], thresholds: Mapping[str, float], episode: Episode, margins: Sequence[int]
) -> xr.Dataset:
    """All scores of recovery in one episode, over `basis` (all of BASES, NaN where one is missing), `condition`, `margin`.

    `thresholds`: from validation data, below which an entry of each basis counts as zero.
    """
    bases = []
    for basis in BASES:
        if basis not in magnitudes:
            bases.append(_nothing(margins))
            continue
        magnitude, threshold = magnitudes[basis], thresholds[basis]
        by_condition = [_scores(magnitude[here], episode.zero[here], threshold) for here in episode.conditions.values()]
        found = magnitude <= threshold
        detected = [
            scores.switch_detection(scores.switches(found), scores.switches(episode.zero), margin) for margin in margins
        ]
        distance = scores.duration_distance(_durations(found), _durations(episode.zero))
        bases.append(_dataset(by_condition, detected, distance, margins))
    return xr.concat(bases, dim="basis").assign_coords(basis=labels(BASES))


def controls(
    settings: WorldModelsSettings, data: Transitions, seed: int, input_labels: Sequence[str], output_labels: Sequence[str]
) -> Callable[[Transitions, Episode], dict[str, np.ndarray]]:
    """What gives the scaled magnitudes of each of CONTROLS in an episode, from the training part of the split of `seed`.

    `linear`: the slopes of one least-squares fit; `neighbours`: of one around each step, over its nearest 50 training steps;
    `static_oracle`: how often each entry is non-zero in the episode itself; `truth`: whether it is.
    """
    split = split_episodes(int(data.episode.max()) + 1, settings.validation, settings.test, seed)
    standardise = Standardiser.of(data.of_episodes(split["training"]), input_labels, output_labels)
    training = standardise(data.of_episodes(split["training"]))
    count = min(max(_NEIGHBOURS, 2 * training.inputs.shape[1]), len(training.inputs))
    nearest = NearestNeighbors(n_neighbors=count).fit(training.inputs)
    slopes = _slopes(training.inputs, training.outputs)

    def of_episode(transitions: Transitions, episode: Episode) -> dict[str, np.ndarray]:
        inputs = standardise(transitions).inputs
        around = nearest.kneighbors(inputs, return_distance=False)
        local = np.stack([_slopes(training.inputs[chosen], training.outputs[chosen]) for chosen in around])
        return {
            "linear": np.broadcast_to(np.abs(slopes), episode.zero.shape),
            "neighbours": np.abs(local),
            "static_oracle": scores.static_oracle(episode.zero),
            "truth": (~episode.zero).astype(float),
        }

    return of_episode


def scores_of_model(store: xr.Dataset, episodes: Sequence[Episode], data: Transitions, margins: Sequence[int]) -> xr.Dataset:
    """Scores of one model's store (`report.trained_and_evaluated`), over `episode`.

    Beside those of `score_episode`: `relative_error` of its Jacobian by condition, scaled; `one_step_error`, root mean
    squared error in standard deviations of the next state; `rollout_error` by horizon; `sparsity` and `true_sparsity`:
    share of entries below `zero_threshold` in the model, and of zeros.
    """
    found = []
    scale = store.input_scale.values / store.output_scale.values[:, None]
    thresholds = dict(zip(map(str, store.basis.values), store.matched_threshold.values.tolist(), strict=True)) | {
        "mask": 0.5
    }
    zero_threshold = store.attrs["zero_threshold"]
    for own, truth, number in zip(episodes_of(store), episodes, store.episode.values.tolist(), strict=True):
        jacobian = own.jacobian.values.astype(float)
        magnitudes = {"scaled": np.abs(jacobian * scale), "raw": np.abs(jacobian)}
        if "mask" in own:
            magnitudes["mask"] = own["mask"].values.astype(float)
        scored = score_episode(magnitudes, thresholds, truth, margins)
        errors = [
            scores.relative_error(jacobian[here] * scale, truth.jacobian[here] * scale) if here.any() else np.nan
            for here in truth.conditions.values()
        ]
        transitions = data.of_episodes([number])
        off = (own.prediction.values - transitions.outputs) / store.output_scale.values
        found.append(
            scored.assign(
                relative_error=("condition", errors),
                one_step_error=((), float(np.sqrt((off**2).mean()))),
                rollout_error=("horizon", own.rollout_error.values),
                sparsity=((), float((np.abs(jacobian) < zero_threshold).mean())),
                true_sparsity=((), float(truth.zero.mean())),
            ).assign_coords(horizon=store.horizon.values)
        )
    return xr.concat(found, dim=EPISODE)


def truth_of_episodes(data: Transitions, sparsity: Sequence[xr.Dataset], numbers: Sequence[int]) -> list[Episode]:
    """The truth of episodes by their number over all seeds."""
    whole = [one for store in sparsity for one in episodes_of(store)]
    found = []
    for number in numbers:
        own = data.of_episodes([number])
        found.append(Episode(own.jacobian, own.zero, conditions(whole[number])))
    return found


def _slopes(inputs: Float[np.ndarray, "step in_dim"], outputs: Float[np.ndarray, "step out_dim"]) -> np.ndarray:
    """Slopes of a least-squares fit with an intercept, [out_dim, in_dim]; the smallest ones where many fit."""
    centred = inputs - inputs.mean(axis=0)
    return np.linalg.lstsq(centred, outputs - outputs.mean(axis=0), rcond=1e-8)[0].T


def _scores(magnitude: np.ndarray, zero: np.ndarray, threshold: float) -> dict[str, float]:
    if not len(zero):
        return dict.fromkeys(_NAMES, np.nan)
    oracle = scores.static_oracle(zero)
    pooled, by_entry = scores.auroc(magnitude, zero), scores.auroc_by_entry(magnitude, zero)
    values = (
        pooled,
        scores.auroc_by_step(magnitude, zero),
        by_entry,
        scores.average_precision(magnitude, zero),
        scores.skill(pooled, scores.auroc(oracle, zero)),
        scores.skill(by_entry, 0.5),
        scores.zero_f1(magnitude, zero, threshold),
        scores.leakage(magnitude, zero),
    )
    return dict(zip(_NAMES, values, strict=True))


_NAMES = (
    *("auroc", "auroc_by_step", "auroc_by_entry", "average_precision"),
    *("skill", "skill_by_entry", "zero_f1", "leakage"),
)


def _durations(zero: Bool[np.ndarray, "step out_dim in_dim"]) -> np.ndarray:
    """Lengths of all runs of zeros and of non-zeros of all entries."""
    flat = zero.reshape(len(zero), -1).T
    return np.concatenate([np.diff(np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1, [len(row)]])) for row in flat])


def _dataset(
    by_condition: list[dict[str, float]], detected: list[tuple[float, float]], distance: float, margins: Sequence[int]
) -> xr.Dataset:
    named = {name: ("condition", [scored[name] for scored in by_condition]) for name in _NAMES}
    switching = {
        f"switch_{name}": ("margin", [pair[number] for pair in detected])
        for number, name in enumerate(("precision", "recall"))
    }
    return xr.Dataset(
        {**named, **switching, "duration_distance": ((), distance)},
        coords={"condition": labels(CONDITIONS), "margin": list(margins)},
    )


def _nothing(margins: Sequence[int]) -> xr.Dataset:
    return _dataset([dict.fromkeys(_NAMES, np.nan)] * len(CONDITIONS), [(np.nan, np.nan)] * len(margins), np.nan, margins)


def of_all(
    models: Sequence[xr.Dataset], data: Transitions, sparsity: Sequence[xr.Dataset], settings: WorldModelsSettings
) -> dict[str, list[xr.Dataset]]:
    """Scores by name of the model, one Dataset over `episode` per training seed; CONTROLS are among the names.

    A model that diverged is scored as it was before that; the store that is made of this says so.
    """
    scored: dict[str, list[xr.Dataset]] = {}
    names = [list(map(str, sparsity[0][dim].values)) for dim in (IN, OUT)]
    for seed in sorted({store.attrs["training_seed"] for store in models}):
        own = [store for store in models if store.attrs["training_seed"] == seed]
        numbers = own[0].episode.values.tolist()
        episodes = truth_of_episodes(data, sparsity, numbers)
        for store in own:
            scored.setdefault(store.attrs["model"], []).append(scores_of_model(store, episodes, data, settings.margins))
        control = controls(settings, data, seed, *names)
        by_episode = [
            (control(data.of_episodes([number]), episode), episode)
            for number, episode in zip(numbers, episodes, strict=True)
        ]
        for name in CONTROLS:
            found = []
            for magnitudes, episode in by_episode:
                threshold = {"scaled": scores.matched_threshold(magnitudes[name], episode.zero)}
                found.append(score_episode({"scaled": magnitudes[name]}, threshold, episode, settings.margins))
            blank = scored[own[0].attrs["model"]][-1]
            whole = xr.concat(found, dim=EPISODE)
            missing = {n: xr.full_like(blank[n], np.nan) for n in blank.data_vars if n not in whole}
            scored.setdefault(name, []).append(whole.assign(missing))
    return scored
