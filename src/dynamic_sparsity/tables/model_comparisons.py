"""Every world model compared with the first one of the study, pair by pair.

The first model is the plain MLP by default. Pairs share the task and the training seed.

- `one_step_error`: error of the next state, in its standard deviations, median over test episodes.
- `relative_sparsity`: share of the entries of the model's Jacobian below the threshold, divided by the share of true
  zeros (target 1).
- `auroc`: of non-zero against zero entries, scaled (0.5: chance).
- `median_difference`: median over pairs of this model's value minus the first one's.
- `p_value`: Wilcoxon's signed-rank test, two-sided; `p_holm`: corrected for all comparisons of the table (Holm). The
  test does not know that pairs of one task share their data, so the p-values are too small.
- `verdict`: if `p_holm` is below 0.05, "higher" or "lower", by the sum of signed ranks; otherwise "no significant
  difference". "too few pairs" means that no outcome could have been significant.
- `diverged`: runs of either model that diverged. They count, with the weights of their best epoch.
- `not_trained`: runs of either model that predict no better than that nothing changes. They form no pair.
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
    first, *later = values.model.drop_duplicates()
    rows = [_row(values, model, first, measure) for model in later for measure in MEASURES]
    frame = pd.DataFrame(rows)
    if not len(frame):
        return frame
    frame["p_holm"] = holm(frame.p_value.to_numpy())
    columns = (frame[name] for name in ("direction", "p_holm", "pairs"))
    frame["verdict"] = [verdict(*row, comparisons=len(frame)) for row in zip(*columns, strict=True)]
    return frame.drop(columns="direction")


def sentences(frame: pd.DataFrame) -> list[str]:
    """One sentence per row."""
    return [
        f"{row.measure.replace('_', ' ')} of {row.model} against {row.against}: {row.verdict} (median difference"
        f" {row.median_difference:.2g} over {row.pairs} pairs, p = {row.p_value:.2g}, corrected {row.p_holm:.2g})."
        for _, row in frame.iterrows()
    ]


def _values(data: xr.Dataset) -> pd.DataFrame:
    """The measures of every model and training seed of one task; NaN for runs that are not trained."""
    selected = data.sel(basis="scaled", condition="all")
    runs = {measure: learnt.of_runs(selected, measure) for measure in MEASURES}
    rows = []
    for model in learnt.models(data):
        for seed, verdict in learnt.of_task(data, model).items():
            row = {"task": data.attrs["task"], "model": model, "seed": seed, "not_trained": verdict == learnt.NOT_TRAINED}
            row["diverged"] = data.attrs["ended"][f"{model}/{seed}"] == "diverged"
            rows.append(row | {name: float(runs[name].sel(model=model, training_seed=seed)) for name in MEASURES})
    return pd.DataFrame(rows)


def _row(values: pd.DataFrame, model: str, first: str, measure: str) -> dict[str, object]:
    """Compare `measure` of `model` with that of `first`, paired by task and training seed."""
    compared, reference = (values[values.model == name].set_index(["task", "seed"]) for name in (model, first))
    difference = (compared[measure] - reference[measure]).dropna()
    return {
        "measure": measure,
        "model": model,
        "against": first,
        "pairs": len(difference),
        "median": float(compared[measure].median()),
        "median_difference": float(difference.median()),
        "direction": direction(difference.to_numpy()),
        "p_value": signed_rank(difference.to_numpy()),
        "diverged": int(compared.diverged.sum() + reference.diverged.sum()),
        "not_trained": int(compared.not_trained.sum() + reference.not_trained.sum()),
    }


def verdict(direction: float, p_holm: float, pairs: int, comparisons: int) -> str:
    """The verdict of a comparison.

    "too few pairs" if even the smallest p-value that so many pairs allow, corrected for the number of comparisons,
    would not be significant; "no significant difference" if `p_holm` is at least 0.05; otherwise "higher" or "lower",
    by the sign of `direction`.
    """
    if not pairs or comparisons * 2.0 ** (1 - pairs) >= LEVEL:
        return "too few pairs"
    if p_holm >= LEVEL:
        return "no significant difference"
    return "higher" if direction > 0 else "lower"


def direction(differences: np.ndarray) -> float:
    """Sum of the signed ranks of the non-zero differences; its sign is the direction that the test finds."""
    unequal = differences[differences != 0]
    return float((np.sign(unequal) * scipy.stats.rankdata(np.abs(unequal))).sum())


def signed_rank(differences: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test, without differences of 0; 1 if all are 0, NaN for no pairs."""
    unequal = differences[differences != 0]
    if not len(unequal):
        return 1.0 if len(differences) else np.nan
    return float(scipy.stats.wilcoxon(unequal).pvalue)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values after Holm's step-down correction; a NaN does not count as a comparison."""
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known])]
    running = 0.0
    for rank, number in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[number]))
        corrected[number] = running
    return corrected
