"""The tables of horizons and objects."""

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.settings.resampling import ResamplingSettings
from dynamic_sparsity.tables import horizons, objects
from tests.helpers.studies import multiplied, table, touching
from tests.helpers.synthetic import ATTRS, sparsity_store

RESAMPLING = ResamplingSettings(resamples=200)


@pytest.fixture(scope="module")
def apart():
    """Two studies of two objects that depend on each other in a stretch of steps, or at every second step."""
    stretch = np.broadcast_to(np.arange(40) >= 30, (4, 40))
    touches = {"T": stretch, "U": touching(4, 40, 2)}
    return [multiplied(two_objects(touch), RESAMPLING, task=task) for task, touch in touches.items()]


def two_objects(touch):
    """Sparsity stores in which the two objects depend on each other where `touch` [episode, time] is true."""
    stores = []
    for seed in (0, 1):
        store = sparsity_store(seed, touch)
        own = np.array([[1, 0] * 3, [0, 1] * 3] * 2, bool)
        zero = ~(own | touch[..., None, None])
        stores.append(store.assign(zero=store.zero.copy(data=zero)))
    return stores


def test_the_table_of_horizons_says_whether_clustering_matters(apart):
    frame = table("horizons", apart).set_index("task")
    assert frame.answer["T"] == "longer" and frame.longer["T"] > 0 and frame.p_value["T"] < 0.05
    assert frame.zeros["T"] == pytest.approx(0.5 * 30 / 40, abs=0.15) and frame.half["T"] == np.inf
    assert frame.columns.tolist().count("left_5") == 1 and "left_1" not in frame
    first, second = horizons.sentences(frame.reset_index())
    assert first.startswith("T, noise: more than half of the zeros are left after 5 steps.") and "last longer" in first
    assert second.startswith("U, noise: half of the zeros are gone after 2 steps, 0.02 s.") and "shorter" in second


def test_p_values_are_corrected_over_all_rows(apart):
    alone, together = (table("horizons", stores).p_value.tolist() for stores in (apart[:1], apart))
    assert together[0] == pytest.approx(2 * alone[0])


def test_the_table_of_objects_has_a_row_for_each_distinct_block(apart):
    frame = table("objects", apart[:1])
    assert (frame.level == "object").all() and len(frame) == 4
    block = frame.set_index(["next_state_of", "does_not_depend_on"]).loc[("a", "state of b")]
    assert block.zero_share == pytest.approx(0.75) and block.duration == 30 and block.cut_share == 1
    assert block.duration_seconds == pytest.approx(30 * ATTRS["control_timestep"])
    assert block.independent_share == pytest.approx(0.75**4) and block.excess_low > 0 and block.half == np.inf
    [sentence] = objects.sentences(frame)
    assert sentence.startswith("T, noise: sometimes independent, in 75.0% of the steps, on average for at least 30 steps")
    assert "b from the state of a" in sentence and "a from the controls of b" in sentence and "would give" in sentence


def test_joints_stand_in_for_objects_where_there_is_one_and_equal_rows_are_merged(apart):
    one = apart[0].isel(row_object=[0], column_object=[0, 2])
    frame = table("objects", [one])
    assert (frame.level == "joint").all() and set(frame.next_state_of) == {"a", "b"}
    same = one.assign({name: xr.ones_like(one[name]) for name in one.data_vars if name.startswith("joint_")})
    assert table("objects", [same]).next_state_of.tolist() == ["a, b"] * 4
    never = one.assign(joint_zero_share=one.joint_zero_share * 0)
    frame = table("objects", [never])
    assert frame.next_state_of.tolist() == ["any joint"] and frame.zero_share.tolist() == [0]
    assert objects.sentences(frame)[0].startswith("T, noise: never (one object)")
