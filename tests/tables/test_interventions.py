"""The table of interventions: answers, names of entries and sentences."""

import numpy as np
import pandas as pd
import pytest

from dynamic_sparsity.tables import interventions, page
from tests.helpers.interventions import effects, linear, random_effects, summarised


def turned_on():
    """In the second of four steps, in contact, 2 of 23 zeros act at the larger move."""
    jacobian = np.zeros((2, 4, 4, 6))
    jacobian[..., 0, 0] = 1.0
    change = linear(jacobian)
    active = np.zeros((2, 4, 2), bool)
    active[:, 1, 0] = True
    change[:, 1, 2, 0, 2, 3] = 1e-3
    change[0, 1, 2, 1, 3, 3] = 1e-3
    return summarised(effects(jacobian, change, active=active))


def quiet():
    jacobian = np.broadcast_to(np.eye(4, 6), (2, 3, 4, 6))
    return summarised(effects(jacobian, linear(jacobian)), task="ReacherHard")


def dense():
    jacobian = np.ones((2, 3, 4, 6))
    return summarised(effects(jacobian, linear(jacobian)), task="BallInCup")


def test_one_row_per_move_and_the_derivative_first():
    frame = interventions.build([turned_on()], {})
    assert frame["move"].tolist() == [0.0, 1e-6, 0.5, 2.0] and (frame.steps == 8).all() and (frame.zeros == 8 * 23).all()
    assert frame.acting.tolist() == pytest.approx([np.nan, 0, 0, (2 / 92 + 1 / 92) / 2], nan_ok=True)
    assert frame.acting_contact.iloc[-1] == pytest.approx((2 / 23 + 1 / 23) / 2) and frame.acting_limit.isna().all()
    assert frame.most_affected.iloc[-1] == "qvel:a by qvel:b (2 of 8); qvel:b by qvel:b (1 of 8)"
    assert frame.most_affected.tolist()[1:3] == ["", ""]
    assert (frame["weak_0.001"] == 0).all() and (frame.error_median.iloc[1:] < 1e-12).all()


def test_sentences_lead_with_the_answer():
    first, *others = interventions.sentences(interventions.build([turned_on(), quiet(), dense()], {}))
    assert first == "Overall: partly. Of 3 tasks and policies, the answer is not shown in 1, partly in 1, yes in 1."
    assert others[0].startswith("CartpoleBalance, noise: partly. 1.6% (1.1% to 2.2%) of the zeros act at a move of up to 2 ")
    assert "at 2: 0.0% in free steps, 6.5% in contact." in others[0] and "turns a zero on is 2 (1.6% of" in others[0]
    assert others[4].startswith("ReacherHard, noise: yes. None of the 120 zeros in 6 steps acts at a move of up to 2")
    assert others[8].startswith("BallInCup, noise: not shown. No sampled step has a zero entry")
    assert others[3] == "CartpoleBalance, noise, masks: no entry is zero in some sampled steps and non-zero in others."


def test_half_of_the_zeros_make_a_no():
    jacobian = np.zeros((2, 3, 4, 6))
    change = linear(jacobian)
    change[:, :, 1, 1, :2] = 1.0
    frame = interventions.build([summarised(effects(jacobian, change))], {})
    assert interventions.sentences(frame)[1].startswith("CartpoleBalance, noise: no. 50.0% of the zeros act")


@pytest.mark.parametrize("case", ["random", "nothing finite", "one episode"])
def test_every_store_makes_a_page(case):
    rng = np.random.default_rng(1)
    if case == "nothing finite":
        store = summarised(effects(np.full((2, 3, 4, 6), np.nan), np.full((2, 3, 3, 2, 4, 6), np.nan)))
    else:
        store = summarised(random_effects(rng, episodes=1 if case == "one episode" else 3))
    frame = interventions.build([store], {})
    text = page.render(frame, interventions.__doc__ or "", interventions.sentences(frame))
    assert isinstance(frame, pd.DataFrame) and "nan" not in "".join(interventions.sentences(frame)) and len(text) > 500
