"""The answers about world models and the tables and figures beside them, from scores written by hand."""

import io

import numpy as np
import pytest

from dynamic_sparsity.figures import loss_curves, recovery, recovery_conditions, recovery_size, recovery_thresholds
from dynamic_sparsity.tables import leaderboard, world_model_answers
from dynamic_sparsity.tables._pooled import Pooled
from tests.helpers.scores import MODELS, recovery_store


@pytest.fixture(scope="module")
def stores():
    return [recovery_store(number) for number in range(5)]


def answers_of(stores):
    """The table's answers, by question."""
    return world_model_answers.build(stores, {}).set_index("question").answer


@pytest.fixture(scope="module")
def answers(stores):
    return answers_of(stores)


def test_every_difference_is_reported_with_its_size_significant_or_not(answers):
    losses = answers["Do losses on the Jacobian help?"]
    assert "AUROC of mlp_sae_j against mlp: significantly higher (median difference 0.10" in losses
    assert (
        "error of the next state of mlp_sae_j against mlp: no significant difference (median difference 0 [0, 0]" in losses
    )
    assert "10 pairs, corrected p = 0.0059)" in losses, "2 / 2^10, three comparisons"
    plain = answers["Does a plain MLP recover the sparsity?"]
    assert "AUROC against as_drawn: significantly higher" in plain and "AUROC against linear: no significant" in plain


def test_masks_contacts_sizes_and_thresholds(answers):
    assert (
        "masks of gated against the Jacobian of mlp: no significant difference"
        in answers["Do masks recover the sparsity better?"]
    )
    contact = answers["Is the sparsity recovered in contact and out of contact?"]
    assert "AUROC of mlp, in contact against free: significantly lower (median difference -0.05" in contact
    sizes = answers["Does the size of the MLP matter?"]
    assert "Not tested for depth: this takes plain MLPs of three depths, and those of this study have depth 2." in sizes
    assert "Rank correlation of width and AUROC over the models of a task: 1 [1, 1]" in sizes
    assert "mlp: of the thresholds on scaled entries, 0.01 has the best F1" in answers["Does the threshold matter?"]
    assert "gated, precision and recall by margin in steps: 0:" in answers["Are switches detected?"]
    assert "masks of mlp" not in answers["Are switches detected?"]


def test_every_diverged_run_is_named(answers):
    assert answers["How did training end?"].startswith(
        "Of 60 runs: 49 all epochs, 10 untrained, 1 diverged. Diverged (task, model/seed): Task0, gated/5."
    )


def test_choices_are_listed(answers):
    choices = answers["What did we choose that the paper leaves open?"]
    assert "loss sae on the Jacobian with weight 1, relative errors, 1 random column a sample" in choices
    assert "Learnt from the episodes of: Task0 expert, Task1 expert" in choices and "not stopped early" in choices
    assert "as_drawn: mlp, depth 2, width 512, untrained." in choices and "Adam, rate 0.001" in choices


def test_runs_that_are_not_trained_are_named_and_left_out(stores, answers):
    learnt = answers["Have the models learnt?"]
    assert "Not trained (no better than predicting no change; left out of all answers below): none." in learnt
    assert "Of 20 test episodes, over all training seeds, 5 are unlike the training episodes" in learnt
    worse = [data.copy(deep=True) for data in stores]
    for data in worse:
        data.error_over_persistence.loc[{"model": "mlp_sae_j", "training_seed": 5}] = 1.0
        data.error_over_linear.loc[{"model": "small"}] = 1.5
        data.auroc_of_seed.loc[{"model": "mlp_sae_j", "training_seed": 5}] = 0.0
    changed = answers_of(worse)
    assert "left out of all answers below): Task0 mlp_sae_j/5; Task1 mlp_sae_j/5" in changed["Have the models learnt?"]
    assert (
        "linear fit (read their scores with that in mind): Task0 small/3; Task0 small/5"
        in changed["Have the models learnt?"]
    )
    losses = changed["Do losses on the Jacobian help?"]
    assert "AUROC of mlp_sae_j against mlp: too few pairs to tell (median difference 0.10" in losses and "5 pairs" in losses
    frame = leaderboard.build(worse, {}).set_index(["model", "basis"])
    assert frame.not_trained["mlp_sae_j", "scaled"] == 5 and frame.linear_is_better["small", "scaled"] == 10
    assert frame.auroc["mlp_sae_j", "scaled"] > 0.6, "only runs that are trained"
    labels = recovery_conditions.draw(worse, tasks=True).axes[0].get_legend_handles_labels()
    assert "mlp_sae_j (5 of 10 not trained)" in labels[1] and "small (10 of 10 linear is better)" in labels[1]


def test_tasks_may_have_other_numbers_of_test_episodes_and_epochs(stores):
    first = stores[0].assign(novel_share=(("training_seed", "test_episode"), np.full((2, 3), np.nan)))
    answer = answers_of([first, *stores[1:]])["Have the models learnt?"]
    assert "Of 16 test episodes, over all training seeds, 4 are unlike" in answer
    unknown = [data.assign(novel_share=data.novel_share * np.nan) for data in stores]
    answer = answers_of(unknown)["Have the models learnt?"]
    assert "unknown, because there is only one training episode" in answer


def test_the_true_sparsity_does_not_depend_on_the_models(stores, answers):
    lost = [data.copy(deep=True) for data in stores]
    for data in lost:
        data.error_over_persistence.loc[{"model": "mlp"}] = 3.0
    before, after = (
        texts["Does the threshold matter?"].partition("Calling every entry zero has an F1 of")[2]
        for texts in (answers, answers_of(lost))
    )
    assert before == after and after and "unknown" not in after


def test_a_plain_loss_has_the_same_twin():
    wide = {"wide": {"width": 1024}, "wide_mse_j": {"width": 1024, "jacobian_loss": "mse", "jacobian_errors": "plain"}}
    models = {**{name: MODELS[name] for name in ("mlp", "mlp_sae_j", "as_drawn")}, **wide}
    answer = answers_of([recovery_store(1, models)])["Do losses on the Jacobian help?"]
    assert "AUROC of wide_mse_j against wide" in answer and "in more than the loss" not in answer


def test_tables_and_figures_exist_even_if_no_model_is_trained(stores):
    for data in (lost := [data.copy(deep=True) for data in stores]):
        data["error_over_persistence"] = data.error_over_persistence * 0 + 2
        data["history"] = ("model", "training_seed", "epoch", "part"), np.full((11, 2, 3, 2), np.nan)
    unknown = answers_of(lost)
    assert unknown.str.len().min() > 0 and "unknown" in unknown["Do masks recover the sparsity better?"]
    assert (leaderboard.build(lost, {}).set_index("model").not_trained[["mlp", "small"]] == 10).all()
    drawn = [data.assign_coords(part=["training", "validation"]) for data in lost]
    for figure in (
        recovery.draw(drawn, smallest_sparsity=1e-4),
        recovery_conditions.draw(drawn, tasks=True),
        recovery_size.draw(drawn, tasks=True),
        recovery_thresholds.draw(drawn, smallest_sparsity=1e-4),
        loss_curves.draw(drawn, training=True),
    ):
        figure.savefig(io.BytesIO())


def test_a_small_study_says_what_it_cannot_tell(stores):
    few = {name: MODELS[name] for name in ("mlp", "mlp_sae_j", "as_drawn")}
    answers = answers_of([recovery_store(1, few)])
    assert "too few pairs to tell" in answers["Do losses on the Jacobian help?"]
    assert "no interval: 1 task" in answers["Does a plain MLP recover the sparsity?"]
    assert answers["Do masks recover the sparsity better?"] == "This study trains no model with masks."
    assert "workflow/studies/world_models.yaml" in answers["Does the size of the MLP matter?"]
    assert "three trained models, and this study has 2" in answers["Do models that predict better recover better?"]


def test_error_and_recovery_by_hand(answers):
    answer = answers["Do models that predict better recover better?"]
    expected = -6 / np.sqrt(8 * 9.5)  # errors rank 3, 3, 3, 1, 5 where AUROC ranks 2.5, 2.5, 5, 4, 1
    assert f"the error of the next state and AUROC over the models of a task: {expected:.3g}" in answer
    assert "too few tasks to tell (5 tasks" in answer, "the smallest p is 2 / 2^5"
    assert "rolling out 10 steps and AUROC over the models of a task: unknown, because one of the two is missing" in answer


def test_an_infinite_error_is_not_unknown(stores):
    pooled = Pooled(stores)
    median, low, high, tasks = pooled.estimate(np.array([[1.0], [2.0], [np.inf], [np.inf], [np.inf]]), np.nanmedian)
    assert median == np.inf and low < np.inf and high == np.inf and tasks == 5


def test_the_leaderboard_puts_the_best_first(stores):
    frame = leaderboard.build(stores, {})
    assert frame.model[0] == "mlp_sae_j" and frame.model.iloc[-1] == "as_drawn" and list(frame["rank"]) == list(range(1, 13))
    assert set(frame[frame.basis == "mask"].model) == {"gated"}
    scaled = frame[frame.basis == "scaled"].set_index("model")
    assert scaled.not_trained.sum() == 0 and scaled.error_over_persistence["mlp"] == pytest.approx(0.3)
    means = [float(data.auroc.sel(basis="scaled", condition="all", model="mlp")) for data in stores]
    assert scaled.auroc["mlp"] == pytest.approx(np.mean(means)) and scaled.auroc_low["mlp"] < np.mean(means)
    assert np.isnan(scaled.relative_error_of_state["linear"])
    of_task = [data.one_step_error_of_seed.sel(condition="all", model=list(MODELS)).mean() for data in stores]
    small = [data.one_step_error_of_seed.sel(condition="all", model="small").mean() for data in stores]
    assert scaled.relative_error_of_state["small"] == pytest.approx(np.mean(np.array(small) / np.array(of_task)))


def test_loss_curves_have_a_line_per_trained_model_seed_and_part(stores):
    models = stores[0].model.values.tolist()
    losses = np.full((len(models), 2, 4, 2), np.nan)
    losses[:5, :, :3] = np.arange(60).reshape(5, 2, 3, 2) + 1.0  # all but as_drawn and the controls, three of four epochs
    dims = ("model", "training_seed", "epoch", "part")
    written = [data.assign(history=(dims, losses)).assign_coords(part=["training", "validation"]) for data in stores]
    drawn = loss_curves.draw(written, training=True)
    first = drawn.axes[0]
    assert len(first.get_lines()) == 5 * 2 * 2 and first.get_legend_handles_labels()[1] == list(MODELS)[:5]
    np.testing.assert_array_equal(first.get_lines()[0].get_ydata(), losses[0, 0, :, 1])
    only = loss_curves.draw(written, training=False)
    assert len(only.axes[0].get_lines()) == 5 * 2


def test_figures_draw_every_trained_model(stores):
    conditions = recovery_conditions.draw(stores, tasks=True)
    labels = conditions.axes[0].get_legend_handles_labels()[1]
    assert labels == list(MODELS)
    heights = np.asarray(conditions.axes[0].get_lines()[1].get_ydata())
    expected = np.mean([data.auroc.sel(basis="scaled", model="mlp", condition="contact") for data in stores])
    assert heights[2] == pytest.approx(expected)
    thresholds = recovery_thresholds.draw(stores, smallest_sparsity=1e-4)
    assert thresholds.axes[1].get_legend_handles_labels()[1] == [*MODELS, "all entries zero"]
    size = recovery_size.draw(stores, tasks=False)
    (line,) = [line for line in size.axes[0].get_lines() if str(line.get_label()).startswith("2 hidden")]
    assert np.asarray(line.get_xdata()).tolist() == [64, 512, 1024]
    assert np.all(np.diff(np.asarray(line.get_ydata())) > 0)
