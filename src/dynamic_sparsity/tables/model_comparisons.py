"""World models against the first one, pair by pair.

Each model beside the first one of the study (the plain MLP, by default), paired over tasks and training seeds: error of the
next state, in its standard deviations, median over test episodes; relative sparsity, the share of entries of the model's
Jacobian below the threshold over the share of true zeros (target 1); AUROC of non-zero against zero entries, scaled (0.5:
chance). median_difference: median over pairs of this model's minus the first one's. p_value: Wilcoxon's signed-rank test,
two-sided; p_holm: corrected for all comparisons of the table (Holm). verdict: "higher" or "lower", by the sum of signed
ranks, where p_holm is below 0.05, else "no significant difference"; "too few pairs" where no outcome could be significant.
Pairs of one task share its data, which the test does not know: p is too small by that. Runs that diverged count by the
weights of their best epoch; `diverged` says how many. Runs that are not trained, no better than predicting that nothing
changes, make no pair; `not_trained` says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.stats
import xarray as xr

from dynamic_sparsity.definitions import learnt

LEVEL = 0.05
MEASURES = ("one_step_error", "relative_sparsity", "auroc")


def build(stores: Sequence[xr.Dataset], paper: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model and measure, from the recovery stores of all tasks."""
    del paper
    values = pd.concat([_values(data) for data in stores])
    first, *others = values.model.drop_duplicates()
    rows = [_row(values, model, first, measure) for model in others for measure in MEASURES]
    frame = pd.DataFrame(rows)
    if not len(frame):
        return frame
    frame["p_holm"] = holm(frame.p_value.to_numpy())
    columns = (frame[name] for name in ("direction", "p_holm", "pairs"))
    frame["verdict"] = [verdict(*row, comparisons=len(frame)) for row in zip(*columns, strict=True)]
    return frame.drop(columns="direction")


def sentences(frame: pd.DataFrame) -> list[str]:
    """What the table says, one sentence per row."""
    return [
        f"{row.measure.replace('_', ' ')} of {row.model} against {row.against}: {row.verdict} (median difference"
        f" {row.median_difference:.2g} over {row.pairs} pairs, p = {row.p_value:.2g}, corrected {row.p_holm:.2g})."
        for _, row in frame.iterrows()
    ]


def _values(data: xr.Dataset) -> pd.DataFrame:
    """The measures of every model and seed of one task; NaN for what is not trained."""
    here = data.sel(basis="scaled", condition="all")
    runs = {measure: learnt.of_runs(here, measure) for measure in MEASURES}
    rows = []
    for model in learnt.models(data):
        for seed, verdict in learnt.of_task(data, model).items():
            row = {"task": data.attrs["task"], "model": model, "seed": seed, "not_trained": verdict == learnt.NOT_TRAINED}
            row["diverged"] = data.attrs["ended"][f"{model}/{seed}"] == "diverged"
            rows.append(row | {name: float(runs[name].sel(model=model, training_seed=seed)) for name in MEASURES})
    return pd.DataFrame(rows)


def _row(values: pd.DataFrame, model: str, first: str, measure: str) -> dict[str, object]:
    ours, theirs = (values[values.model == name].set_index(["task", "seed"]) for name in (model, first))
    difference = (ours[measure] - theirs[measure]).dropna()
    return {
        "measure": measure,
        "model": model,
        "against": first,
        "pairs": len(difference),
        "median": float(ours[measure].median()),
        "median_difference": float(difference.median()),
        "direction": direction(difference.to_numpy()),
        "p_value": signed_rank(difference.to_numpy()),
        "diverged": int(ours.diverged.sum() + theirs.diverged.sum()),
        "not_trained": int(ours.not_trained.sum() + theirs.not_trained.sum()),
    }


def verdict(direction: float, p_holm: float, pairs: int, comparisons: int) -> str:
    """What a comparison says; too few where even the smallest p that so many pairs can have would not be enough."""
    if not pairs or comparisons * 2.0 ** (1 - pairs) >= LEVEL:
        return "too few pairs"
    if p_holm >= LEVEL:
        return "no significant difference"
    return "higher" if direction > 0 else "lower"


def direction(differences: np.ndarray) -> float:
    """Which way the signed-rank test sees them: the sum of signed ranks of the pairs that differ."""
    unequal = differences[differences != 0]
    return float((np.sign(unequal) * scipy.stats.rankdata(np.abs(unequal))).sum())


def signed_rank(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; pairs without a difference are left out. NaN without a pair."""
    unequal = differences[differences != 0]
    if not len(unequal):
        return 1.0 if len(differences) else np.nan
    return float(scipy.stats.wilcoxon(unequal).pvalue)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction; NaN counts as no comparison."""
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known])]
    running = 0.0
    for rank, number in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[number]))
        corrected[number] = running
    return corrected
