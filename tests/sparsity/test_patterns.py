"""Patterns, switches, autocorrelation and events against slow twins."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamic_sparsity.sparsity import events as ev
from dynamic_sparsity.sparsity import patterns as pt
from tests.helpers.arrays import entries, masks


def keys(zero, finite):
    """The mask of each step as bytes, None where an entry is not finite."""
    return [z.tobytes() if f.all() else None for z, f in zip(zero.values, finite.values, strict=True)]


@given(masks())
def test_equal_masks_have_equal_numbers_and_only_they(pair):
    zero, finite = pair
    numbers = pt.PatternBook().identify(zero, finite).values
    names = keys(zero, finite)
    for i in range(len(names)):
        for j in range(len(names)):
            if names[i] is None:
                assert numbers[i] == pt.NO_PATTERN
            elif names[j] is not None:
                assert (numbers[i] == numbers[j]) == (names[i] == names[j])


@given(masks())
def test_the_book_gives_the_masks_back(pair):
    zero, finite = pair
    book = pt.PatternBook()
    numbers = book.identify(zero, finite).values
    stored = book.masks(4, 6)
    for step, number in enumerate(numbers):
        if number != pt.NO_PATTERN:
            np.testing.assert_array_equal(stored[number], zero.values[step])


@given(hnp.arrays(np.int32, st.integers(1, 12), elements=st.integers(-1, 2)))
def test_switches_and_their_rate(numbers):
    series = xr.DataArray(numbers, dims="time")
    pairs = [(a, b) for a, b in zip(numbers[:-1], numbers[1:], strict=True) if a >= 0 and b >= 0]
    expected = [False] + [bool(a != b and a >= 0 and b >= 0) for a, b in zip(numbers[:-1], numbers[1:], strict=True)]
    assert pt.switches(series).values.tolist() == expected
    share = sum(a != b for a, b in pairs) / len(pairs) if pairs else np.nan
    np.testing.assert_equal(pt.switch_rate(series).item(), share)
    counts = pt.follow_counts(series)
    assert counts.sum() == sum(expected)
    for (source, target), count in zip(counts.index, counts, strict=True):
        assert count == sum((a, b) == (source, target) for a, b in pairs)


def slow_autocorrelation(zero, finite, max_lag):
    steps, rows, columns = zero.shape
    centred = {}
    for r in range(rows):
        for c in range(columns):
            is_finite = finite[:, r, c]
            if is_finite.any():
                z = zero[:, r, c][is_finite].astype(float)
                if z.min() != z.max():
                    centred[r, c] = z.mean()
    result = []
    for lag in range(max_lag + 1):
        products = [
            (zero[t, r, c] - m) * (zero[t + lag, r, c] - m)
            for (r, c), m in centred.items()
            for t in range(steps - lag)
            if finite[t, r, c] and finite[t + lag, r, c]
        ]
        result.append(np.mean(products) if products else np.nan)
    return np.array(result) / result[0] if centred else np.full(max_lag + 1, np.nan)


@given(masks())
def test_autocorrelation(pair):
    zero, finite = pair
    result = pt.autocorrelation(zero, finite, 4).values
    np.testing.assert_allclose(result, slow_autocorrelation(zero.values, finite.values, 4), atol=1e-9)


def test_autocorrelation_of_a_period():
    zero = entries(np.broadcast_to((np.arange(400) % 4 < 2)[:, None, None], (400, 4, 6)).copy())
    rho = pt.autocorrelation(zero, xr.ones_like(zero), 4).values
    np.testing.assert_allclose(rho, [1, 0, -1, 0, 1], atol=0.01)


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.just(3))))
def test_events(active):
    result = ev.events(xr.DataArray(active, dims=("time", "constraint"))).values
    assert result.tolist() == [False] + [bool((a != b).any()) for a, b in zip(active[:-1], active[1:], strict=True)]


SERIES = st.integers(3, 9).flatmap(lambda n: st.tuples(hnp.arrays(bool, n), hnp.arrays(bool, n)))


@given(st.lists(SERIES, min_size=1, max_size=3))
def test_expected_coincidence_is_the_mean_over_all_circular_shifts(episodes):
    switch, event = [s for s, _ in episodes], [e for _, e in episodes]
    result = ev.coincidence(switch, event, 20, 0.95, 0)
    total = sum(s[1:].sum() for s in switch)
    if total == 0:
        assert np.isnan(result.observed) and result.switches == 0
        return
    coincident = sum((s[1:] & e[1:]).sum() for s, e in episodes)
    by_shift = [np.mean([(s[1:] & np.roll(e[1:], k)).sum() for k in range(len(s) - 1)]) for s, e in episodes]
    np.testing.assert_allclose(result.observed, coincident / total)
    np.testing.assert_allclose(result.expected, sum(by_shift) / total)


@given(SERIES)
def test_every_shift_is_matched_as_by_rolling(pair):
    switch, event = pair
    rolled = [(switch & np.roll(event, -k)).sum() for k in range(len(switch))]
    assert sorted(ev._matches_by_shift(switch, event).tolist()) == sorted(map(float, rolled))


def test_coincidence_tells_a_cause_from_a_bystander():
    rng = np.random.default_rng(0)
    event = [rng.random(500) < 0.1 for _ in range(4)]
    caused = ev.coincidence(event, event, 500, 0.95, 1)
    assert caused.observed == 1 and caused.p_value < 0.01 and caused.expected < 0.2
    bystander = [rng.random(500) < 0.1 for _ in range(4)]
    unrelated = ev.coincidence(bystander, event, 500, 0.95, 1)
    assert unrelated.low <= unrelated.observed <= unrelated.high and unrelated.p_value > 0.05


def test_p_values_are_uniform_when_nothing_is_there():
    rng = np.random.default_rng(5)
    values = []
    for trial in range(200):
        switch, event = [rng.random(200) < 0.2], [rng.random(200) < 0.2]
        values.append(ev.coincidence(switch, event, 100, 0.95, trial).p_value.item())
    assert 0.4 < np.mean(values) < 0.7 and np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.05)
