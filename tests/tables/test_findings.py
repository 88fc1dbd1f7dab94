"""The findings and the overview of made-up studies, whose answers are known."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.tables import _finding, findings
from tests.helpers.interventions import effects, linear, summarised
from tests.helpers.scores import recovery_store
from tests.helpers.studies import CASES, study, table

QUESTIONS = {
    "global": "Is some of the causal graph absent in every state?",
    "symmetries": "Is every entry that is always zero a symmetry?",
    "state": "Does it depend on the state which entries are zero?",
    "moves": "Does a zero derivative mean that an input has no influence?",
    "persistence": "Do patterns of zeros persist from step to step?",
    "together": "Do entries switch together?",
    "events": "Do the zeros change when contacts or limits do?",
    "durations": "How long does an entry stay zero?",
    "products": "Are the zeros of one step lost over several steps?",
    "threshold": "Does the threshold matter?",
    "method": "Does it matter how a step is differentiated?",
    "agent": "Does it matter who acts?",
    "recovered": "Do world models recover which entries are zero?",
    "losses": "Does a loss on the Jacobian help to recover it?",
    "prediction": "Do models that predict better recover it better?",
}


def found(stores):
    """The findings by their short names."""
    rows = table("findings", stores).set_index("question")
    assert list(rows.index) == list(QUESTIONS.values())
    return {name: rows.loc[question] for name, question in QUESTIONS.items()}


def base(case="usual"):
    stores = study(case)
    return [*stores["summary and patterns"], *stores["survival"]]


def test_a_study_without_models_or_ablation_says_what_it_does_not_test():
    answers = {name: finding.answer for name, finding in found(base()).items()}
    assert [answers[name] for name in ("method", "recovered", "losses", "prediction")] == ["not tested"] * 4
    assert "ablation.tasks is empty" in found(base())["method"].finding


@pytest.mark.parametrize("case", CASES)
def test_every_study_has_an_answer_to_every_question(case):
    known = {"yes", "no", "partly", "not shown", "not tested"}
    for name, finding in found(base(case)).items():
        is_number = name == "durations" and finding.answer.endswith(" steps")
        assert (is_number or finding.answer in known) and finding.finding.endswith("."), name
        assert "nan" not in finding.finding, finding.finding


def test_the_limit_that_breaks_zeros_is_an_event():
    events = found(base())["events"]
    assert events.answer == "yes" and events.finding.startswith("In 1 of 1 task")
    assert "100 % of the changes" in events.finding
    assert found(base("nothing ever switches"))["events"].answer == "not tested"


def scaled(data, entries):
    """A summary store in which these entries of J_s are zero in every step, and no others ever."""
    always = xr.zeros_like(data.always_zero)
    always[{"out_dim": 0, "in_dim": list(range(entries))}] = True
    zeros = data.global_zeros.copy(data=np.full(data.global_zeros.shape, entries))
    return data.assign(always_zero=always, zero_fraction=always * 1.0, global_zeros=zeros)


def test_zeros_of_every_step_are_counted_and_do_not_depend_on_the_state():
    stores = base()
    summary, *rest = stores
    some = found([scaled(summary, 1), *rest])
    assert some["global"].answer == "yes" and ": 1 entries" in some["global"].evidence
    assert some["state"].answer == "no" and "between 0 % and 0 %" in some["state"].finding
    none = found([scaled(summary, 0), *rest])
    assert none["global"].answer == "no" and none["state"].answer == "not shown"


def test_policies_differ_where_their_intervals_do_not_overlap():
    summary, *rest = base()
    shift = {f"mean_sparsity{end}": summary[f"mean_sparsity{end}"] + 0.5 for end in ("", "_low", "_high")}
    for values, answer in (({}, "no"), (shift, "yes")):
        other = summary.assign(values).assign_attrs(policy="another")
        assert found([summary, other, *rest])["agent"].answer == answer
    assert found(base())["agent"].answer == "not tested"


def with_episode_intervals(data, width=0.01):
    ends = {"auroc_low": data.auroc - width, "auroc_high": data.auroc + width}
    return data.assign(ends)


def test_recovery_is_measured_against_a_predictor_that_does_not_know_the_state():
    recovery = [with_episode_intervals(recovery_store(number)) for number in range(5)]
    answers = found([*base(), *recovery])
    assert answers["recovered"].answer == "yes", "mlp_sae_j is 0.1 better than all others"
    assert answers["recovered"].finding.startswith("In 5 of 5 tasks") and "mlp_sae_j AUROC" in answers["recovered"].evidence
    assert answers["losses"].answer == "yes" and "+0.1" in answers["losses"].finding
    wide = [with_episode_intervals(recovery_store(number), width=0.5) for number in range(5)]
    assert found([*base(), *wide])["recovered"].answer == "no"


def test_models_that_do_not_beat_persistence_answer_nothing():
    recovery = [with_episode_intervals(recovery_store(number)) for number in range(5)]
    untrained = [data.assign(error_over_persistence=data.error_over_persistence * 10) for data in recovery]
    answers = found([*base(), *untrained])
    assert answers["recovered"].answer == "not shown"
    assert "no model has learnt to predict" in answers["recovered"].evidence


def test_symmetries_are_counted_and_those_that_are_none_are_named():
    summary, structure = study("usual")["summary and structure"]
    rest = base()[1:]
    every = found([scaled(summary, 1), structure, *rest])["symmetries"]
    assert every.answer == "yes" and every.finding.startswith("1 of 1 entries") and "; 0 of them could not" in every.finding
    changed = structure.assign(largest_change=structure.largest_change + 1e-3)
    none = found([scaled(summary, 1), changed, *rest])["symmetries"]
    assert none.answer == "no" and "no symmetries: changed by up to" in none.evidence
    assert found([scaled(summary, 0), structure, *rest])["symmetries"].answer == "not tested"


def test_clusters_and_products_have_their_null_models():
    answers = found([*base(), *study("usual")["clustering"], *study("usual")["horizons"]])
    for name in ("persistence", "together"):
        assert answers[name].answer in ("yes", "no", "not shown") and "corrected p =" in answers[name].evidence
        assert "Holm" in answers[name].compared_with
    assert "in random order" in answers["products"].evidence
    assert found(base())["products"].answer == "not tested"


@pytest.mark.parametrize(("act", "answer"), [(False, "yes"), (True, "no")])
def test_a_zero_that_acts_when_it_is_moved_has_an_influence(act, answer):
    jacobian = np.zeros((2, 4, 4, 6))
    jacobian[..., 0, 0] = 1.0
    change = linear(jacobian)
    if act:
        change[0, 1, 2, 0, 2, 3] = 1e-3
    finding = found([*base(), summarised(effects(jacobian, change))])["moves"]
    assert finding.answer == answer and ("zeros act" in finding.evidence)
    assert finding.finding.startswith(f"In {0 if act else 1} of 1 task")


def test_sentences_lead_with_the_answer():
    frame = table("findings", base())
    number = list(QUESTIONS).index("events")
    assert findings.sentences(frame)[number] == f"{QUESTIONS['events']} Yes. {frame.finding[number]}"


def test_an_overview_has_a_row_for_each_task_and_policy():
    summary, patterns, survival = base()
    (row,) = table("overview", [summary, patterns, survival]).to_dict("records")
    main = summary.sel(threshold=1e-12)
    share = 100 * (1 - float(main.always_zero.sum()) / float(main.zero_fraction.sum()))
    assert row["state_dependent"] == pytest.approx(share) and row["patterns"] == 2
    assert row["duration"] == pytest.approx(3 * patterns.attrs["control_timestep"]), "three steps between two contacts"
    assert np.isnan(table("overview", [summary, patterns]).duration[0]), "no survival curves of this policy"


@pytest.mark.parametrize(
    ("holds", "answer"),
    [([True, True], "yes"), ([False, None], "no"), ([True, False], "partly"), ([None], "not shown"), ([], "not shown")],
)
def test_answers_count_tasks(holds, answer):
    assert _finding.answer_of(holds) == answer


def test_shares_keep_the_digits_that_matter():
    assert [_finding.percent(share) for share in (0.0, 1.0, 0.123, 0.0525, 0.00017, 0.9997)] == [
        *("0 %", "100 %", "12 %", "5.25 %", "0.017 %", "100 %")
    ]
