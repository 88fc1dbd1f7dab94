"""Comparisons of world models, on scores written by hand."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.figures import recovery as figure
from dynamic_sparsity.tables import model_comparisons as comparisons
from dynamic_sparsity.tables import recovery as table

SEEDS = [3, 5]
SCORES = (
    *("auroc", "auroc_by_step", "skill", "skill_by_entry", "average_precision", "zero_f1", "leakage", "relative_error"),
    *("one_step_error", "relative_sparsity"),
)


def store(task, better):
    """Scores of three models and a control without predictions; `sparse` has more zeros, `same` as many as `mlp`."""
    rng = np.random.default_rng(len(task))
    models = ["mlp", "same", "sparse", "static_oracle"]
    over = np.array([[0.4, 0.4], [0.4, 0.4], [0.4, 0.4], [np.nan, np.nan]])
    base = rng.random(len(SEEDS)) + 1
    values = {name: np.repeat(base[None], 4, axis=0) for name in SCORES}
    values["relative_sparsity"] = np.stack([base / 50, base / 50, base / 50 * better, np.full(2, np.nan)])
    values["one_step_error"] = np.stack([base, base + rng.normal(size=2), base, np.full(2, np.nan)])
    arrays = {}
    for name, of_seed in values.items():
        arrays[f"{name}_of_seed"] = (("model", "training_seed"), of_seed)
        arrays |= {f"{name}{end}": (("model",), of_seed.mean(axis=1)) for end in ("", "_low", "_high")}
        arrays[f"{name}_median_of_seed"] = (("model", "training_seed"), of_seed)
    arrays |= {f"{name}": (("model",), values["auroc"].mean(axis=1)) for name in ("auroc_median", *table.ERRORS)}
    data = xr.Dataset(arrays, coords={"model": models, "training_seed": SEEDS}).expand_dims(
        basis=["scaled"], condition=["all"]
    )
    for name in ("persistence", "linear"):
        data[f"error_over_{name}"] = ("model", "training_seed"), over
    ended = {f"{model}/{seed}": "all epochs" for model in models[:3] for seed in SEEDS} | {f"same/{SEEDS[0]}": "diverged"}
    return data.assign_attrs(task=task, policy="expert", ended=ended)


@pytest.fixture
def stores():
    return [store(task, 2 + number) for number, task in enumerate(["A", "BB", "CCC", "DDDD", "EEEEE"])]


def test_a_difference_is_called_one_where_it_is_significant(stores):
    frame = comparisons.build(stores, {}).set_index(["measure", "model"])
    sparse = frame.loc[("relative_sparsity", "sparse")]
    assert sparse.verdict == "higher" and sparse.pairs == 10 and sparse.p_value == pytest.approx(2 / 2**10)
    assert sparse.p_holm == pytest.approx(6 * 2 / 2**10)
    assert frame.loc[("one_step_error", "same")].verdict == "no significant difference"
    assert frame.loc[("auroc", "sparse")].p_value == 1 and frame.loc[("auroc", "sparse")].median_difference == 0
    assert frame.loc[("auroc", "same")].diverged == 5
    sentences = comparisons.sentences(frame.reset_index())
    assert any(
        "relative sparsity of sparse against mlp: higher" in sentence and "10 pairs" in sentence for sentence in sentences
    )


def test_what_is_not_trained_makes_no_pair(stores):
    for data in stores:
        data.error_over_persistence.loc[{"model": "sparse", "training_seed": SEEDS[1]}] = 1.2
    frame = comparisons.build(stores, {}).set_index(["measure", "model"])
    assert (
        frame.loc[("relative_sparsity", "sparse")].pairs == 5 and frame.loc[("relative_sparsity", "sparse")].not_trained == 5
    )
    rows = table.build(stores, {}).set_index(["task", "model"])
    assert rows.verdict["BB", "sparse"] == "seed 3: trained, seed 5: not trained" and rows.verdict["BB", "mlp"] == "trained"


def test_ties_do_not_turn_the_verdict_around():
    mostly_equal = np.r_[np.zeros(21), np.full(19, 0.1)]
    p_value = comparisons.signed_rank(mostly_equal)
    assert comparisons.verdict(comparisons.direction(mostly_equal), p_value, 40, 1) == "higher"
    assert comparisons.verdict(comparisons.direction(-mostly_equal), p_value, 40, 1) == "lower"


def test_few_pairs_say_so(stores):
    frame = comparisons.build(stores[:2], {})
    assert set(frame.verdict) == {"too few pairs"} and set(frame.pairs) == {4}


def test_holm_by_hand():
    corrected = comparisons.holm(np.array([0.01, np.nan, 0.04, 0.03]))
    np.testing.assert_allclose(corrected, [0.03, np.nan, 0.06, 0.06])


def test_the_table_of_recovery_has_a_row_for_each_basis_and_condition(stores):
    frame = table.build(stores, {})
    assert len(frame) == 5 * 4 and set(frame.condition) == {"all"}
    same = frame[(frame.task == "BB") & (frame.model == "same")].iloc[0]
    assert same.ended == "all epochs, diverged"
    sparse = frame[(frame.task == "BB") & (frame.model == "sparse")].iloc[0]
    np.testing.assert_allclose(sparse.relative_sparsity, stores[1].relative_sparsity.sel(model="sparse").item())


def test_the_figure_draws_trained_models_and_controls(stores):
    drawn = figure.draw(stores, smallest_sparsity=1e-3)
    error, sparsity, both = drawn.axes
    assert [text.get_text() for text in error.get_yticklabels()] == ["mlp", "same", "sparse"]
    names = both.get_legend_handles_labels()[1]
    assert names[:3] == ["mlp", "same", "sparse"] and "CCC" in names and "static_oracle, mean over tasks" in names
    assert sparsity.get_xlim()[0] == pytest.approx(5e-4)
