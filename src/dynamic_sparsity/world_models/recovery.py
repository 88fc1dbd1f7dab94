"""Scores of world models and of simple controls: how well each recovers the zeros of the Jacobian in test episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from dynamic_sparsity.definitions.learnt import FAMILIAR_SHARE
from dynamic_sparsity.definitions.zero import below
from dynamic_sparsity.errors import UserError
from dynamic_sparsity.settings.world_models import CONTROLS, WorldModelsSettings
from dynamic_sparsity.stores.runs import episodes_of
from dynamic_sparsity.stores.schema import EPISODE, IN, OUT
from dynamic_sparsity.world_models import scores
from dynamic_sparsity.world_models.controls import Controls, rollout_errors
from dynamic_sparsity.world_models.data import Transitions, split_episodes
from dynamic_sparsity.world_models.episode_scores import score_episode
from dynamic_sparsity.world_models.episodes import Episode, truth_of_episodes
from dynamic_sparsity.world_models.familiarity import novel_shares


def scores_of_model(
    store: xr.Dataset, episodes: Sequence[Episode], data: Transitions, settings: WorldModelsSettings
) -> xr.Dataset:
    """Scores of one model's store (`report.trained_and_evaluated`), over `episode`.

    `episodes` holds the truth of the store's test episodes; `data` must hold next states, not changes of state. Besides
    the scores of `score_episode`:

    - `relative_error` of the scaled Jacobian and `one_step_error`, by condition. The latter is the root mean squared
      error of the next state, in units of its standard deviation.
    - `rollout_error`, by horizon.
    - `true_sparsity`: share of true zeros; `relative_sparsity`: share of the model's entries below `zero_threshold`,
      divided by it, NaN if no entry is truly zero.
    - `relative_sparsity_at` and `zero_f1_at`, by `threshold`: the same ratio, and the F1 of detecting zeros, for scaled
      entries.
    """
    numbers = store.episode.values.tolist()
    of_episodes = [
        _scores_of_predictions(predicted, truth, data.of_episodes([number]), store, settings)
        for predicted, truth, number in zip(episodes_of(store), episodes, numbers, strict=True)
    ]
    return xr.concat(of_episodes, dim=EPISODE)


def _scores_of_predictions(
    predicted: xr.Dataset, truth: Episode, transitions: Transitions, store: xr.Dataset, settings: WorldModelsSettings
) -> xr.Dataset:
    """Scores of what a model predicts in one test episode; `store` holds its scales and thresholds."""
    jacobian = predicted.jacobian.values.astype(float)
    scale = store.input_scale.values / store.output_scale.values[:, None]
    magnitudes = {"scaled": np.abs(jacobian * scale), "raw": np.abs(jacobian)}
    if "mask" in predicted:
        magnitudes["mask"] = predicted["mask"].values.astype(float)
    matched = dict(zip(map(str, store.basis.values), store.matched_threshold.values.tolist(), strict=True))
    relative_errors = [
        scores.relative_error(jacobian[steps] * scale, truth.jacobian[steps] * scale) if steps.any() else np.nan
        for steps in truth.conditions.values()
    ]
    errors = (predicted.prediction.values - transitions.outputs) / store.output_scale.values
    return (
        score_episode(magnitudes, {**matched, "mask": 0.5}, truth, settings.margins)
        .assign(
            relative_error=("condition", relative_errors),
            one_step_error=("condition", _errors_by_condition(errors, truth)),
            rollout_error=("horizon", predicted.rollout_error.values),
        )
        .assign(_sparsities(jacobian, magnitudes["scaled"], truth, store.attrs["zero_threshold"], settings.thresholds))
        .assign_coords(horizon=store.horizon.values, threshold=settings.thresholds)
    )


def _sparsities(
    jacobian: np.ndarray, scaled: np.ndarray, truth: Episode, zero_threshold: float, thresholds: Sequence[float]
) -> dict[str, tuple[Any, Any]]:
    """True and relative sparsity of an episode, and the scores by threshold, as variables of a Dataset."""
    zero = truth.zero[truth.known]
    true_share = float(zero.mean()) if len(zero) else np.nan
    share = float(below(jacobian[truth.known], zero_threshold).mean()) if len(zero) else np.nan
    relative_sparsity, f1 = scores.zeros_by_threshold(scaled[truth.known], zero, thresholds)
    return {
        "true_sparsity": ((), true_share),
        "relative_sparsity": ((), share / true_share if true_share else np.nan),
        "relative_sparsity_at": ("threshold", relative_sparsity),
        "zero_f1_at": ("threshold", f1),
    }


def scores_of_controls(
    controls: Controls, episodes: Sequence[Episode], data: Transitions, numbers: Sequence[int], settings: WorldModelsSettings
) -> dict[str, xr.Dataset]:
    """Scores of every control, by its name, over `episode`.

    They are those of `score_episode` and, for a control that predicts states, `one_step_error` and `rollout_error`.
    `numbers` are the numbers of `episodes` in `data`.
    """
    of_episodes: dict[str, list[xr.Dataset]] = {name: [] for name in CONTROLS}
    for truth, number in zip(episodes, numbers, strict=True):
        steps = data.of_episodes([number])
        for name, magnitude in controls.magnitudes(steps).items():
            scored = score_episode({"scaled": magnitude}, {"scaled": controls.thresholds[name]}, truth, settings.margins)
            if predict := controls.predictors.get(name):
                errors = (predict(steps.inputs) - steps.outputs) / controls.next_state_scale
                rolled = rollout_errors(predict, steps, settings.horizons, controls.state_scale)
                scored = scored.assign(
                    one_step_error=("condition", _errors_by_condition(errors, truth)), rollout_error=("horizon", rolled)
                )
            of_episodes[name].append(scored)
    return {name: xr.concat(of_control, dim=EPISODE) for name, of_control in of_episodes.items()}


def _errors_by_condition(errors: Float[np.ndarray, "step out_dim"], truth: Episode) -> list[float]:
    """Root mean square of the errors within the steps of each condition; NaN for a condition without steps."""
    return [float(np.sqrt((errors[steps] ** 2).mean())) if steps.any() else np.nan for steps in truth.conditions.values()]


def tested(data: Transitions, settings: WorldModelsSettings, training_seeds: Sequence[int]) -> xr.Dataset:
    """The test episodes of each training seed, over `training_seed` and `test_episode`.

    `test_episode_number` counts the episodes of all study seeds; `novel_share` is the share of novel steps
    (`familiarity.novel_shares`).
    """
    numbers, novel = [], []
    for seed in training_seeds:
        split = split_episodes(data.policies, settings.validation, settings.test, seed)
        numbers.append(split["test"])
        novel.append(novel_shares(data.part(split, "training"), [data.of_episodes([number]) for number in split["test"]]))
    dims = ("training_seed", "test_episode")
    return xr.Dataset({"test_episode_number": (dims, np.array(numbers, np.int32)), "novel_share": (dims, np.array(novel))})


def of_each_seed(by_seed: Sequence[xr.Dataset], novel_share: xr.DataArray) -> xr.Dataset:
    """Scores of single episodes and training seeds, from one Dataset over `model` and `episode` per training seed.

    Every score gets its values `_of_episode`; over the test episodes of a training seed its mean `_of_seed` and its
    `_median_of_seed`; and over those of all training seeds its `_median`. `one_step_error` and `rollout_error` also get
    `_median_familiar`, over the episodes of which at most FAMILIAR_SHARE of the steps are novel.

    `error_over_persistence` and `error_over_linear`: median error of the next state in a training seed, divided by that
    of the control.
    """
    aligned = [data.drop_vars(EPISODE, errors="ignore").rename({EPISODE: "test_episode"}) for data in by_seed]
    stacked = xr.concat(aligned, dim="training_seed")
    all_episodes = ("training_seed", "test_episode")
    medians = stacked.median("test_episode")
    errors = stacked[["one_step_error", "rollout_error"]].where(novel_share <= FAMILIAR_SHARE)
    parts = {
        "_of_episode": stacked,
        "_of_seed": stacked.mean("test_episode"),
        "_median_of_seed": medians,
        "_median": stacked.median(all_episodes),
        "_median_familiar": errors.median(all_episodes),
    }
    renamed = [part.rename({name: f"{name}{end}" for name in part.data_vars}) for end, part in parts.items()]
    error = medians.one_step_error.sel(condition="all", drop=True)
    ratios = {f"error_over_{name}": error / error.sel(model=name, drop=True) for name in ("persistence", "linear")}
    return xr.merge([*renamed, xr.Dataset(ratios)])


def histories(models: Sequence[xr.Dataset], names: Sequence[str], seeds: Sequence[int]) -> xr.DataArray:
    """Training and validation losses of the models' stores, [model, training_seed, epoch, part].

    `names` and `seeds` give the order of models and training seeds. NaN after a training's last epoch and for controls.
    """
    parts = models[0].part.values
    epochs = max(1, *(store.sizes["epoch"] for store in models))
    losses = np.full((len(names), len(seeds), epochs, len(parts)), np.nan)
    for store in models:
        place = names.index(store.attrs["model"]), seeds.index(store.attrs["training_seed"])
        losses[place][: store.sizes["epoch"]] = store.history.values
    return xr.DataArray(losses, dims=("model", "training_seed", "epoch", "part"), coords={"part": parts})


def scores_of_all(
    models: Sequence[xr.Dataset], data: Transitions, sparsity: Sequence[xr.Dataset], settings: WorldModelsSettings
) -> dict[str, list[xr.Dataset]]:
    """Scores of the models and of CONTROLS, by name: one Dataset over `episode` per training seed.

    `models` are stores of `report.trained_and_evaluated`; `data` must hold next states, not changes of state. A model
    that diverged is scored with the weights of its best epoch; the attribute `ended` of its store says that it
    diverged.

    Raises UserError if a model was tested on other episodes than these settings choose.
    """
    scored: dict[str, list[xr.Dataset]] = {}
    names = [list(map(str, sparsity[0][dim].values)) for dim in (IN, OUT)]
    for seed in sorted({store.attrs["training_seed"] for store in models}):
        split = split_episodes(data.policies, settings.validation, settings.test, seed)
        episodes = truth_of_episodes(data, sparsity, split["test"])
        of_seed = [store for store in models if store.attrs["training_seed"] == seed]
        for store in of_seed:
            if (tested := store[EPISODE].values.tolist()) != split["test"]:
                raise UserError(
                    f"model {store.attrs['model']}, seed {seed}, was tested on episodes {tested}, but these settings"
                    f" choose {split['test']}: train it again with these settings"
                )
            scored.setdefault(store.attrs["model"], []).append(scores_of_model(store, episodes, data, settings))
        of_model = scored[of_seed[-1].attrs["model"]][-1]
        of_controls = scores_of_controls(Controls(data, split, names), episodes, data, split["test"], settings)
        for name, of_control in of_controls.items():
            missing = {n: xr.full_like(of_model[n], np.nan) for n in of_model.data_vars if n not in of_control}
            scored.setdefault(name, []).append(of_control.assign(missing))
    return scored
