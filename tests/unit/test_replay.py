"""The proof that a record replays: rounding that a step amplifies is allowed for, anything larger is named."""

import numpy as np
import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.simulation.replay import ROUNDING, TOLERANCE, Replayer
from dynamic_sparsity.simulation.transition import NextState, Recorded


class Amplifying(Replayer):
    """Replays steps that multiply every coordinate of CartpoleBalance by `gain`."""

    def __init__(self, gain):
        self._name, self.gain = "CartpoleBalance", gain

    def __call__(self, start):
        return NextState(*(self.gain * part for part in (start.qpos, start.qvel, start.act)))


def steps(count):
    rng = np.random.default_rng(0)
    draw = [rng.uniform(-1, 1, (count, size)).astype(np.float32) for size in (2, 2, 0, 2, 1)]
    return Recorded(*draw)


def recorded(replay, start, off):
    """What `replay` gives, but for the velocity of the hinge in step 2."""
    after = replay(start)
    after.qvel[2, 1] += off
    return after


@pytest.mark.parametrize("gain", [1.0, 300.0])
def test_what_rounding_explains_passes_and_ten_times_as_much_is_named(gain):
    replay, start = Amplifying(gain), steps(4)
    reach = np.float32(TOLERANCE + gain * ROUNDING)
    assert replay.prove(start, recorded(replay, start, 0), 3) == 0
    assert replay.prove(start, recorded(replay, start, reach), 3) > 0
    with pytest.raises(UserError, match=r"CartpoleBalance, episode 3, step 2, next_qvel:hinge_1 \(replayed .*, recorded"):
        replay.prove(start, recorded(replay, start, 10 * reach * (1 + gain)), 3)


def test_a_value_that_is_not_finite_is_not_explained_by_rounding():
    replay, start = Amplifying(1.0), steps(4)
    with pytest.raises(UserError, match="step 2"):
        replay.prove(start, recorded(replay, start, np.nan), 0)
