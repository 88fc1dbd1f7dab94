"""The proof that recorded steps replay: it allows for amplified rounding and names any larger difference."""

import re

import numpy as np
import pytest

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.simulation.chunks import CHUNK_STEPS
from dynamic_sparsity.simulation.replay import ROUNDING, TOLERANCE, VARIANTS, Replayer
from dynamic_sparsity.simulation.transition import NextState, Recorded


class Amplifying(Replayer):
    """Replays steps that multiply every coordinate of CartpoleBalance by `gain`."""

    def __init__(self, gain):
        self._name, self.gain, self.calls = "CartpoleBalance", gain, []

    def __call__(self, start):
        self.calls.append(len(start.qpos))
        return NextState(*(self.gain * part for part in (start.qpos, start.qvel, start.act)))


def steps(count):
    rng = np.random.default_rng(0)
    draw = [rng.uniform(-1, 1, (count, size)).astype(np.float32) for size in (2, 2, 0, 2, 1)]
    return Recorded(*draw)


def recorded(replay, start, off):
    """The replay's own next states, with the velocity of the hinge in step 2 changed by `off`."""
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


def spread_of_all(replay, start, step):
    """The spread of the hinge's velocity over all perturbed replays of one step: a slow, obvious twin."""
    rng = np.random.default_rng(0)
    moved = []
    for part in start:
        noise = rng.uniform(-ROUNDING, ROUNDING, (VARIANTS, part.shape[1]))
        moved.append((part[step] + noise * (1 + np.abs(part[step]))).astype(part.dtype))
    return np.abs(replay(Recorded(*moved)).qvel - replay(start).qvel[step])[:, 1]


def verdict(replay, start, record):
    """The step that fails the proof, or None."""
    try:
        replay.prove(start, record, 0)
    except UserError as error:
        return int(re.findall(r"step (\d+), next_qvel:hinge_1", str(error))[0])
    return None


def test_the_verdict_on_a_step_is_that_of_all_perturbed_replays_whatever_stands_beside_it():
    """Records differ by 0.5 to 6 times the spread: one perturbed replay explains some, all together explain more."""
    replay, start = Amplifying(300.0), steps(60)
    record, off = replay(start), np.random.default_rng(1).uniform(0.5, 6, 60)
    spreads = np.array([spread_of_all(replay, start, step) for step in range(60)])
    record.qvel[:, 1] += (off * spreads.max(1)).astype(np.float32)
    allowance = np.stack([spreads[:, 0], spreads.max(1)]) * 4 + TOLERANCE * (1 + np.abs(record.qvel[:, 1]))
    by_one, by_all = np.abs(record.qvel[:, 1] - replay(start).qvel[:, 1]) <= allowance
    assert 5 < by_one.sum() < by_all.sum() < 55
    alone = [verdict(replay, *at(slice(step, step + 1), start, record)) is None for step in range(60)]
    np.testing.assert_array_equal(alone, by_all)
    for order in (np.arange(60), np.arange(60)[::-1], np.flatnonzero(by_all), np.random.default_rng(2).permutation(60)):
        refused = np.flatnonzero(~by_all[order])
        assert verdict(replay, *at(order, start, record)) == (refused[0] if len(refused) else None)


def at(steps, *parts):
    return [type(part)(*(array[steps] for array in part)) for part in parts]


def test_perturbed_replays_share_calls_and_there_are_no_more_of_them_than_it_takes():
    replay, start = Amplifying(300.0), steps(100)
    record, spreads = replay(start), np.array([spread_of_all(replay, start, step) for step in range(100)])
    off = np.where(np.isin(np.arange(80), range(10, 17)), 3.9 * spreads[10:90].max(1), 3 * spreads[10:90, 0])
    record.qvel[10:90, 1] += off  # seven are explained by all perturbed replays, the others by the first
    replay.calls.clear()
    assert replay.prove(start, record, 0) > TOLERANCE
    assert replay.calls == [100, 80, CHUNK_STEPS, CHUNK_STEPS, VARIANTS]
