"""Durations against a slow twin that walks along time."""

import numpy as np
from hypothesis import given

from dynamic_sparsity.sparsity import durations
from tests.helpers.arrays import entries, masks


def slow_runs(zero, finite):
    """(row, column, start, length, zero, start_censored, end_censored) of every run, one entry at a time."""
    steps = len(zero)
    runs = []
    for row in range(zero.shape[1]):
        for column in range(zero.shape[2]):
            state = [None if not finite[t, row, column] else bool(zero[t, row, column]) for t in range(steps)]
            t = 0
            while t < steps:
                end = t
                while end < steps and state[end] == state[t]:
                    end += 1
                if state[t] is not None:
                    cut_before = t == 0 or state[t - 1] is None
                    cut_after = end == steps or state[end] is None
                    runs.append((row, column, t, end - t, state[t], cut_before, cut_after))
                t = end
    return sorted(runs)


def as_tuples(runs):
    names = ["run_out", "run_in", "run_start", "run_length", "run_zero", "run_start_censored", "run_end_censored"]
    return sorted(tuple(run) for run in zip(*(runs[name].values.tolist() for name in names), strict=True))


@given(masks())
def test_runs_are_those_of_the_twin(pair):
    zero, finite = pair
    assert as_tuples(durations.durations(zero, finite)) == slow_runs(zero.values, finite.values)


@given(masks())
def test_runs_cover_every_finite_sample_once(pair):
    zero, finite = pair
    runs = durations.durations(zero, finite)
    assert int(runs.run_length.sum()) == int(finite.sum())
    assert int(runs.run_length.where(runs.run_zero, 0).sum()) == int((zero & finite).sum())


@given(masks())
def test_counts_split_runs_by_what_cut_them(pair):
    zero, finite = pair
    runs = durations.durations(zero, finite)
    steps = zero.sizes["time"]
    counts = durations.count_by_length(runs, steps)
    expected = {name: np.zeros((2, steps), int) for name in ("ended", "cut", "unseen_start", "spanning", "paper")}
    for *_, length, value, before, after in slow_runs(zero.values, finite.values):
        name = {(0, 0): "ended", (0, 1): "cut", (1, 0): "unseen_start", (1, 1): "spanning"}[int(before), int(after)]
        expected[name][int(value), length - 1] += 1
        if name != "spanning":
            expected["paper"][int(value), length - 1] += 1
    for name, count in expected.items():
        np.testing.assert_array_equal(counts[name].values, count, err_msg=name)


def test_entries_that_never_switch_have_one_run_that_both_ends_cut():
    zero = entries(np.ones((5, 4, 6), bool))
    runs = durations.durations(zero, zero)
    assert runs.sizes["run"] == 24
    assert (runs.run_length == 5).all() and runs.run_start_censored.all() and runs.run_end_censored.all()
    counts = durations.count_by_length(runs, 5)
    assert counts.paper.sum() == 0 and counts.spanning.sel(value="zero", duration=5) == 24


def test_a_nonfinite_step_cuts_runs_and_belongs_to_none():
    zero, finite = np.ones((5, 4, 6), bool), np.ones((5, 4, 6), bool)
    finite[2, 0, 0] = False
    runs = durations.durations(entries(zero), entries(finite))
    of_entry = runs.where((runs.run_out == 0) & (runs.run_in == 0), drop=True)
    assert of_entry.run_length.values.tolist() == [2, 2]
    assert of_entry.run_start_censored.values.all() and of_entry.run_end_censored.values.all()
