"""How well world models recover the zeros of the Jacobian in episodes that they have not seen, beside simple controls."""

from __future__ import annotations

from collections.abc import Sequence

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

    Beside those of `score_episode`: by condition, `relative_error` of its Jacobian, scaled, and `one_step_error`, root mean
    squared error in standard deviations of the next state; `rollout_error` by horizon; `true_sparsity`: share of true
    zeros; `relative_sparsity`: share of entries of the model below `zero_threshold` over it (NaN where there is none); the
    same and the F1 of zeros by `threshold`, scaled: `relative_sparsity_at`, `zero_f1_at`.
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
        scored = score_episode(magnitudes, thresholds, truth, settings.margins)
        errors = [
            scores.relative_error(jacobian[here] * scale, truth.jacobian[here] * scale) if here.any() else np.nan
            for here in truth.conditions.values()
        ]
        zero = truth.zero[truth.known]
        relative, f1 = scores.zeros_by_threshold(magnitudes["scaled"][truth.known], zero, settings.thresholds)
        transitions, true = data.of_episodes([number]), float(zero.mean()) if len(zero) else np.nan
        small = float(below(jacobian[truth.known], zero_threshold).mean()) if len(zero) else np.nan
        off = (own.prediction.values - transitions.outputs) / store.output_scale.values
        found.append(
            scored.assign(
                relative_error=("condition", errors),
                one_step_error=("condition", _errors_by_condition(off, truth)),
                rollout_error=("horizon", own.rollout_error.values),
                true_sparsity=((), true),
                relative_sparsity=((), small / true if true else np.nan),
                relative_sparsity_at=("threshold", relative),
                zero_f1_at=("threshold", f1),
            ).assign_coords(horizon=store.horizon.values, threshold=settings.thresholds)
        )
    return xr.concat(found, dim=EPISODE)


def scores_of_controls(
    controls: Controls, episodes: Sequence[Episode], data: Transitions, numbers: Sequence[int], settings: WorldModelsSettings
) -> dict[str, xr.Dataset]:
    """Scores of every control by its name, over `episode`: those of `score_episode`, and of what it predicts, if it does."""
    found: dict[str, list[xr.Dataset]] = {name: [] for name in CONTROLS}
    for truth, number in zip(episodes, numbers, strict=True):
        steps = data.of_episodes([number])
        for name, magnitude in controls.magnitudes(steps).items():
            scored = score_episode({"scaled": magnitude}, {"scaled": controls.thresholds[name]}, truth, settings.margins)
            if predict := controls.predictors.get(name):
                off = (predict(steps.inputs) - steps.outputs) / controls.next_state_scale
                rolled = rollout_errors(predict, steps, settings.horizons, controls.state_scale)
                scored = scored.assign(
                    one_step_error=("condition", _errors_by_condition(off, truth)), rollout_error=("horizon", rolled)
                )
            found[name].append(scored)
    return {name: xr.concat(of_control, dim=EPISODE) for name, of_control in found.items()}


def _errors_by_condition(off: Float[np.ndarray, "step out_dim"], truth: Episode) -> list[float]:
    """Root mean squares of the steps of each condition."""
    return [float(np.sqrt((off[here] ** 2).mean())) if here.any() else np.nan for here in truth.conditions.values()]


def tested(data: Transitions, settings: WorldModelsSettings, training_seeds: Sequence[int]) -> xr.Dataset:
    """Of the test episodes, over `training_seed` and `test_episode`: `test_episode_number` over all seeds, `novel_share`."""
    numbers, novel = [], []
    for seed in training_seeds:
        split = split_episodes(data.policies, settings.validation, settings.test, seed)
        numbers.append(split["test"])
        novel.append(novel_shares(data.part(split, "training"), [data.of_episodes([number]) for number in split["test"]]))
    dims = ("training_seed", "test_episode")
    return xr.Dataset({"test_episode_number": (dims, np.array(numbers, np.int32)), "novel_share": (dims, np.array(novel))})


def of_each_seed(by_seed: Sequence[xr.Dataset], novel_share: xr.DataArray) -> xr.Dataset:
    """What scores are in single episodes and seeds, from one Dataset over `model` and `episode` per training seed.

    Of every score its values `_of_episode`, mean `_of_seed`, `_median_of_seed` and, over the episodes of all seeds,
    `_median`; of errors also `_median_familiar`, over episodes that are at most FAMILIAR_SHARE novel.
    `error_over_persistence`, `error_over_linear`: median error of the next state, by seed, over that of the control.
    """
    each = [data.drop_vars(EPISODE, errors="ignore").rename({EPISODE: "test_episode"}) for data in by_seed]
    stacked = xr.concat(each, dim="training_seed")
    of_all = ("training_seed", "test_episode")
    medians = stacked.median("test_episode")
    errors = stacked[["one_step_error", "rollout_error"]].where(novel_share <= FAMILIAR_SHARE)
    parts = {
        "_of_episode": stacked,
        "_of_seed": stacked.mean("test_episode"),
        "_median_of_seed": medians,
        "_median": stacked.median(of_all),
        "_median_familiar": errors.median(of_all),
    }
    named = [part.rename({name: f"{name}{end}" for name in part.data_vars}) for end, part in parts.items()]
    of_step = medians.one_step_error.sel(condition="all", drop=True)
    over = {f"error_over_{name}": of_step / of_step.sel(model=name, drop=True) for name in ("persistence", "linear")}
    return xr.merge([*named, xr.Dataset(over)])


def histories(models: Sequence[xr.Dataset], names: Sequence[str], seeds: Sequence[int]) -> xr.DataArray:
    """Losses by epoch of the models' stores, [model, training_seed, epoch, part]; NaN after the last and for controls."""
    parts = models[0].part.values
    epochs = max(1, *(store.sizes["epoch"] for store in models))
    losses = np.full((len(names), len(seeds), epochs, len(parts)), np.nan)
    for store in models:
        place = names.index(store.attrs["model"]), seeds.index(store.attrs["training_seed"])
        losses[place][: store.sizes["epoch"]] = store.history.values
    return xr.DataArray(losses, dims=("model", "training_seed", "epoch", "part"), coords={"part": parts})


def of_all(
    models: Sequence[xr.Dataset], data: Transitions, sparsity: Sequence[xr.Dataset], settings: WorldModelsSettings
) -> dict[str, list[xr.Dataset]]:
    """Scores by name of the model, one Dataset over `episode` per training seed; CONTROLS are among the names.

    A model that diverged is scored by the weights of its best epoch; the store that is made of this says so.
    Raises UserError for a model that was tested on other episodes.
    """
    scored: dict[str, list[xr.Dataset]] = {}
    names = [list(map(str, sparsity[0][dim].values)) for dim in (IN, OUT)]
    for seed in sorted({store.attrs["training_seed"] for store in models}):
        split = split_episodes(data.policies, settings.validation, settings.test, seed)
        episodes = truth_of_episodes(data, sparsity, split["test"])
        for store in models:
            if store.attrs["training_seed"] == seed:
                if (tested := store[EPISODE].values.tolist()) != split["test"]:
                    raise UserError(
                        f"model {store.attrs['model']}, seed {seed}, was tested on episodes {tested}, not on"
                        f" {split['test']}: train it with these settings"
                    )
                of_model = scores_of_model(store, episodes, data, settings)
                scored.setdefault(store.attrs["model"], []).append(of_model)
        of_controls = scores_of_controls(Controls(data, split, names), episodes, data, split["test"], settings)
        for name, found in of_controls.items():
            missing = {n: xr.full_like(of_model[n], np.nan) for n in of_model.data_vars if n not in found}
            scored.setdefault(name, []).append(found.assign(missing))
    return scored
