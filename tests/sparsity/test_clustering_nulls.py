"""Null models of zero series, against plain loops, hand-made cases and simulated series without the effect."""

import itertools

import numpy as np
import pytest

from dynamic_sparsity.sparsity.clustering import equal_phase, memoryless, series, shifted_entries, shuffled_times
from dynamic_sparsity.sparsity.patterns import NO_PATTERN
from tests.helpers.chains import FEW, chain, chains, gait, rejections, square_wave

ABOUT_5_PERCENT = (0.015, 0.09)
"""Range of the share of 200 simulations with p <= 0.05, for a test that is exact: three standard errors are 0.046."""


def test_the_expected_rate_is_the_mean_over_all_orders_of_the_steps():
    pattern = np.array([0, 0, 0, 1, 2, 2])
    rates = [np.mean(np.diff(order) != 0) for order in itertools.permutations(pattern)]
    assert shuffled_times.expected_rate(pattern) == pytest.approx(np.mean(rates))
    with_gap = np.insert(pattern, 2, NO_PATTERN)
    assert shuffled_times.expected_rate(with_gap) == shuffled_times.expected_rate(pattern)
    assert shuffled_times.expected_rate(np.zeros(9, int)) == 0 == shuffled_times.expected_rate(np.zeros(1, int))


def test_shuffled_steps_keep_their_places_and_their_mean():
    pattern = np.array([0, 0, NO_PATTERN, 1, 2, 2, 1])
    draws = shuffled_times._shuffled(pattern, 4000, np.random.default_rng(0))
    assert set(draws) <= set(range(5)) and draws.mean() == pytest.approx(4 * shuffled_times.expected_rate(pattern), abs=0.05)


def test_one_switch_in_the_middle_persists():
    half = np.repeat([0, 1], 10)[:, None]
    effect = shuffled_times.compare(series.of_values([[half, half]], [3]), 200, FEW)
    assert effect.effect == pytest.approx(1 / (19 * 10 / 19)) and effect.effect == effect.low == effect.high
    assert effect.p_value == pytest.approx(1 / 201) and effect.null_low > effect.effect


def test_shuffled_times_reject_5_percent_of_random_patterns():
    def p_value(rng):
        values = [[rng.integers(0, 2, (40, 2)) for _ in range(2)]]
        return shuffled_times.compare(series.of_values(values, [1, 1]), 99, FEW).p_value

    assert ABOUT_5_PERCENT[0] <= rejections(p_value) <= ABOUT_5_PERCENT[1]


def compositions(steps, runs):
    """All ways to divide `steps` steps among `runs` runs."""
    for cuts in itertools.combinations(range(1, steps), runs - 1):
        yield np.diff([0, *cuts, steps])


@pytest.mark.parametrize(("steps", "runs"), [(7, 3), (12, 5), (9, 2), (6, 6)])
def test_memoryless_runs_are_all_compositions(steps, runs):
    lengths = np.array(list(compositions(steps, runs)))
    n, k = np.array([steps]), np.array([runs])
    for length in range(1, steps + 1):
        assert memoryless.beyond(np.array([length]), k, n)[0] == pytest.approx((lengths > length).mean())
    [quantile] = memoryless.long_quantile(k, n)
    assert (lengths > quantile).mean() <= 0.05 < (lengths > quantile - 1).mean()
    found = memoryless.Stretches(np.zeros(1, int), k, n, n * 0.0, n, n)
    assert found.expected_squares[0] == pytest.approx(np.mean(((lengths - steps / runs) ** 2).sum(1)))
    assert found.expected_short[0] == pytest.approx(np.mean((lengths == 1).sum(1)))
    assert found.expected_long[0] == pytest.approx(np.mean((lengths > quantile).sum(1)))
    drawn = memoryless._drawn_squares(runs, steps, 3000, np.random.default_rng(0))
    squares = ((lengths - steps / runs) ** 2).sum(1)
    for value in np.unique(squares):
        assert (drawn <= value + 1e-6).mean() == pytest.approx((squares <= value + 1e-6).mean(), abs=0.03)


def runs_by_loop(value):
    """(series, segment, value, length) of each run with both ends seen."""
    for number, column in enumerate(value.T):
        segment, start = 0, 0
        for step in range(1, len(column) + 1):
            if step < len(column) and column[step] == column[start]:
                continue
            ends = start == 0 or column[start - 1] < 0, step == len(column) or column[step] < 0
            if column[start] >= 0 and not any(ends):
                yield number, segment, int(column[start]), step - start
            segment += column[start] < 0
            start = step


def test_stretches_are_what_a_loop_finds():
    rng = np.random.default_rng(3)
    value = np.stack([chain(rng, 90) for _ in range(3)], axis=1)
    value[rng.random(value.shape) < 0.03] = -1
    groups: dict[tuple[int, ...], list[int]] = {}
    for *stretch, length in runs_by_loop(value):
        groups.setdefault(tuple(stretch), []).append(length)
    telling = {key: lengths for key, lengths in groups.items() if len(lengths) > 1 and max(lengths) > 1}
    [[episode]] = series.of_values([[value]], [1, 1, 1]).seeds
    found = memoryless.stretches(episode)
    expected = sorted(
        (key[0], len(of), sum(of), len(of) * np.var(of), sum(length == 1 for length in of)) for key, of in telling.items()
    )
    actual = sorted(zip(found.series, found.runs, found.steps, found.squares, found.short, strict=True))
    np.testing.assert_allclose(np.array(actual), np.array(expected), atol=1e-9)
    assert len(telling) > 6


def of_durations(lengths, entries=(1,)):
    """One series whose runs have these lengths, in two episodes."""
    value = np.repeat(np.arange(len(lengths)) % 2, lengths)[:, None]
    return series.of_values([[value, value]], list(entries))


def test_equal_durations_are_too_regular_and_bursts_too_variable():
    regular, _ = memoryless.compare(of_durations([5] * 40), 200, FEW)
    assert regular.effect == pytest.approx(0) and regular.p_value < 0.01
    bursts, shares = memoryless.compare(of_durations(([1] * 10 + [60]) * 8), 200, FEW)
    assert bursts.effect > 2 and bursts.p_value < 0.01
    assert shares.short_observed > 1.5 * shares.short_expected and shares.long_observed > 1.5 * shares.long_expected
    assert shares.compared_runs == 2 * 86
    more, _ = memoryless.compare(of_durations(([1] * 10 + [60]) * 8, entries=(7,)), 200, FEW)
    assert (more.effect, more.p_value) == (bursts.effect, bursts.p_value)


@pytest.mark.parametrize("count", [1, 3])
def test_memoryless_durations_are_rejected_in_5_percent_of_chains(count):
    def p_value(rng):
        return memoryless.compare(chains(rng, 1, 80, count), 99, FEW)[0].p_value

    assert ABOUT_5_PERCENT[0] <= rejections(p_value) <= ABOUT_5_PERCENT[1]


def test_simes_takes_the_best_of_all_ranks():
    assert memoryless.simes(np.array([0.04, 0.03, np.nan, 0.9])) == pytest.approx(min(3 * 0.03, 3 * 0.04 / 2, 0.9))
    assert memoryless.simes(np.array([0.2])) == 0.2 and np.isnan(memoryless.simes(np.array([np.nan])))


def test_shifts_leave_the_sum_of_variances():
    rng = np.random.default_rng(0)
    switches, entries = rng.random((7, 3)) < 0.4, np.array([1, 1, 1])
    totals = [
        (np.stack([np.roll(switches[:, i], s) for i, s in enumerate(shifts)]).sum(0).var()) * 7
        for shifts in itertools.product(range(7), repeat=3)
    ]
    expected, most = shifted_entries._bounds(switches, entries)
    assert expected == pytest.approx(np.mean(totals)) and most >= max(totals)
    drawn = shifted_entries._shifted(switches, entries, 3000, rng)
    assert np.isclose(drawn[:, None], totals, atol=1e-6).any(1).all() and drawn.mean() == pytest.approx(expected, rel=0.05)


def test_the_effect_is_the_mean_covariance_of_pairs_of_entries():
    found = chains(np.random.default_rng(1), 2, 30, 3)
    above = below = 0.0
    for episode in found.episodes:
        covariance = np.cov(episode.switches.T, ddof=0) * len(episode.switches)
        deviation = np.sqrt(np.diag(covariance))
        for i, j in itertools.permutations(range(3), 2):
            above, below = above + covariance[i, j], below + deviation[i] * deviation[j]
    assert shifted_entries.compare(found, 50, FEW).effect == pytest.approx(above / below)


def test_entries_that_share_every_switch_correlate_by_1():
    rng = np.random.default_rng(2)
    columns = [chain(rng, 60) for _ in range(2)]
    values = [[np.stack([column, 1 - column], axis=1) for column in columns]]
    effect = shifted_entries.compare(series.of_values(values, [2, 3]), 200, FEW)
    assert effect.effect == pytest.approx(1) and effect.p_value < 0.01 and effect.null_high < 0.5
    alone = shifted_entries.compare(series.of_values(values, [1, 0]), 50, FEW)
    assert np.isnan(alone.effect) and np.isnan(alone.p_value)


def test_shifted_entries_reject_5_percent_of_independent_chains():
    assert ABOUT_5_PERCENT[0] <= rejections(lambda rng: shifted_entries.compare(chains(rng, 1, 50, 3), 99, FEW).p_value)
    assert rejections(lambda rng: shifted_entries.compare(chains(rng, 1, 50, 3), 99, FEW).p_value) <= ABOUT_5_PERCENT[1]


def test_a_gait_repeats_with_its_phase():
    effect, table = equal_phase.compare(gait(np.random.default_rng(0)), 500, FEW)
    assert table.period.values.tolist() == [12, 12]
    assert effect.effect > 0.9 and effect.p_value < 0.01 and abs(effect.null_high) < effect.effect


def test_a_chain_is_not_periodic():
    effect, table = equal_phase.compare(chains(np.random.default_rng(0), 3, 400, 3), 100, FEW)
    assert np.isnan(table.period).all() and np.isnan(effect.effect) and np.isnan(effect.p_value)


def test_the_period_is_the_first_high_peak():
    lags = np.arange(60)
    assert equal_phase.period(np.cos(2 * np.pi * lags / 14)) == 14
    assert equal_phase.period(0.9**lags) is None and equal_phase.period(np.full(60, np.nan)) is None
    assert equal_phase.period(np.where(lags < 30, np.cos(2 * np.pi * lags / 14), np.nan)) == 14


def test_the_phase_of_a_wave_is_its_own():
    step = np.arange(80)
    angle = 2 * np.pi * step / 16 + 0.7
    found = equal_phase.phases(np.cos(angle), 16)
    np.testing.assert_allclose(np.exp(1j * found), np.exp(1j * angle[31:]), atol=1e-9)


def test_the_phase_ignores_the_last_period():
    signal = np.random.default_rng(0).random(60)
    changed = np.where(np.arange(60) > 60 - 1 - 16, 9.0, signal)
    assert equal_phase.phases(signal, 16)[-1] == pytest.approx(equal_phase.phases(changed, 16)[-1])


def test_nearest_phases_and_shifted_agreements_are_those_of_loops():
    rng = np.random.default_rng(0)
    phase, others = rng.uniform(-np.pi, np.pi, 30), rng.uniform(-np.pi, np.pi, 11)
    distance = np.abs(np.angle(np.exp(1j * (phase[:, None] - others))))
    assert equal_phase._nearest(phase, others).tolist() == distance.argmin(1).tolist()
    value, guess = rng.choice([-1.0, 1.0], (9, 2)), rng.choice([-1.0, 1.0], (9, 2))
    weight = np.array([0.75, 0.25])
    by_roll = np.array([((np.roll(value, -shift, 0) == guess) @ weight).mean() for shift in range(9)])
    np.testing.assert_allclose(equal_phase._agreement_by_shift(value, guess, weight), by_roll - by_roll.mean(), atol=1e-12)


def test_equal_phase_rejects_5_percent_of_chains_with_a_made_up_period(monkeypatch):
    monkeypatch.setattr(equal_phase, "period", lambda _: 6)

    def p_value(rng):
        return equal_phase.compare(chains(rng, 2, 60, 2), 99, FEW)[0].p_value

    assert ABOUT_5_PERCENT[0] <= rejections(p_value) <= ABOUT_5_PERCENT[1]


def test_a_square_wave_is_what_its_name_says():
    assert square_wave(8, 4, 1, shifts=(0,)).ravel().tolist() == [1, 0, 0, 1, 1, 0, 0, 1]
