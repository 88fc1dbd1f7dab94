"""What moves do to zeros, weak entries and predictions: slow twins, identities and cases made by hand."""

import itertools

import numpy as np
import pytest
import xarray as xr

from dynamic_sparsity.sparsity import interventions
from dynamic_sparsity.sparsity.mask_prediction import predictions, rightly
from dynamic_sparsity.sparsity.resampling import stratified_mean
from tests.helpers.interventions import DIRECTIONS, SETTINGS, SIZES, effects, linear, random_effects, summarised

ENTRIES = list(itertools.product(range(4), range(6)))


def samples_of(seed, episode):
    return [sample for sample in range(seed.sizes["sample"]) if seed.step.values[episode, sample] >= 0]


def in_condition(seed, episode, sample, condition):
    contact, limit = seed.constraint_active.values[episode, sample]
    return {"all": True, "free": not contact and not limit, "contact": contact, "limit": limit}[condition]


def relative(seed, episode, sample, size, i, j):
    """The larger |change| / (1 + |output|) of both directions; NaN unless both are finite."""
    both = np.abs(seed.change.values[episode, sample, size, :, i, j]) / seed.scale.values[episode, sample, i]
    return both.max()


def is_zero(seed, episode, sample, i, j):
    """Whether an entry with a varying input is a zero; None where it is not finite or never moved."""
    value = seed.jacobian.values[episode, sample, i, j]
    if not np.isfinite(value) or seed.input_deviation.values[j] == 0:
        return None
    return bool(abs(value) < 1e-12)


def mean_of_episodes(seeds, of_episode):
    values = [of_episode(seed, episode) for seed in seeds for episode in range(seed.sizes["episode"])]
    known = [value for value in values if not np.isnan(value)]
    return np.mean(known) if known else np.nan


def share(cases):
    cases = list(cases)
    return np.mean(cases) if cases else np.nan


@pytest.fixture(scope="module")
def seeds():
    rng = np.random.default_rng(3)
    return [random_effects(rng, seed=0), random_effects(rng, episodes=2, seed=1)]


@pytest.fixture(scope="module")
def result(seeds):
    return summarised(*seeds)


@pytest.mark.parametrize("condition", interventions.CONDITIONS)
@pytest.mark.parametrize("size", range(3))
def test_zeros_that_act_by_loops(seeds, result, size, condition):
    def cases(seed, episode, sizes):
        for sample in samples_of(seed, episode):
            if in_condition(seed, episode, sample, condition):
                for i, j in ENTRIES:
                    moves = [relative(seed, episode, sample, k, i, j) for k in sizes]
                    if is_zero(seed, episode, sample, i, j) and np.isfinite(moves).all():
                        yield moves

    acting = mean_of_episodes(seeds, lambda *of: share(moves[0] > 1e-9 for moves in cases(*of, [size])))
    reached = mean_of_episodes(seeds, lambda *of: share(max(moves[: size + 1]) > 1e-9 for moves in cases(*of, range(3))))
    chosen = result.isel(size=size).sel(condition=condition)
    assert 0 < acting < 1
    assert float(chosen.acting) == pytest.approx(acting) and float(chosen.reached) == pytest.approx(reached)
    assert chosen.acting_low <= chosen.acting <= chosen.acting_high


@pytest.mark.parametrize("level", SETTINGS.weak)
def test_weak_entries_by_loops(seeds, result, level):
    def cases(seed, episode, size):
        outputs = seed.output_deviation.values
        for sample in samples_of(seed, episode):
            for i, j in ENTRIES:
                if is_zero(seed, episode, sample, i, j) is False and outputs[i] > 0:
                    change = np.abs(seed.change.values[episode, sample, size, :, i, j]).max()
                    if np.isfinite(change):
                        yield change / SIZES[size] / outputs[i] < level

    chosen = result.sel(weak_share=level)
    for size in range(3):
        expected = mean_of_episodes(seeds, lambda seed, episode: share(cases(seed, episode, size)))
        assert float(chosen.weak_moved.isel(size=size)) == pytest.approx(expected)

    def derivative(seed, episode):
        outputs, inputs = seed.output_deviation.values, seed.input_deviation.values
        return share(
            abs(seed.jacobian.values[episode, sample, i, j]) * inputs[j] / outputs[i] < level
            for sample in samples_of(seed, episode)
            for i, j in ENTRIES
            if is_zero(seed, episode, sample, i, j) is False and outputs[i] > 0
        )

    assert float(chosen.weak) == pytest.approx(mean_of_episodes(seeds, derivative))
    assert 0 < chosen.weak < 1


@pytest.mark.parametrize("size", range(3))
def test_errors_of_the_first_order_by_loops(seeds, result, size):
    def errors(seed, episode):
        for sample in samples_of(seed, episode):
            for i, j in ENTRIES:
                moves = seed.change.values[episode, sample, size, :, i, j]
                if is_zero(seed, episode, sample, i, j) is None or not np.isfinite(moves).all():
                    continue
                for direction, change in zip(DIRECTIONS, moves, strict=True):
                    if abs(change) > 1e-9 * seed.scale.values[episode, sample, i]:
                        dx = direction * SIZES[size] * seed.input_deviation.values[j]
                        yield abs(seed.jacobian.values[episode, sample, i, j] * dx - change) / abs(change)

    for name, level in (("error_median", 0.5), ("error_90", 0.9)):
        expected = mean_of_episodes(seeds, lambda *of: np.quantile(list(errors(*of)), level))
        assert float(result[name].isel(size=size)) == pytest.approx(expected) and expected > 0


def test_predictions_of_masks_by_loops(seeds, result):
    steps = [
        (number, seed, episode, sample)
        for number, seed in enumerate(seeds)
        for episode in range(seed.sizes["episode"])
        for sample in samples_of(seed, episode)
    ]
    says = {step[:1] + step[2:]: {e: is_zero(step[1], *step[2:], *e) for e in ENTRIES} for step in steps}
    switching = [entry for entry in ENTRIES if {mask[entry] for mask in says.values()} >= {True, False}]
    assert 0 < len(switching) < len(ENTRIES)

    def right(mask, outcome):
        return [mask[e] == (not outcome[e]) for e in switching if mask[e] is not None and outcome[e] is not None]

    own, other = {}, {}
    for number, seed, episode, sample in steps:
        outcome = {}
        for i, j in ENTRIES:
            moved = relative(seed, episode, sample, 2, i, j)
            unknown = is_zero(seed, episode, sample, i, j) is None or np.isnan(moved)
            outcome[i, j] = None if unknown else moved > 1e-9
        own.setdefault((number, episode), []).append(np.mean(right(says[number, episode, sample], outcome)))
        apart = [right(mask, outcome) for of, mask in ((k[:2], m) for k, m in says.items()) if of != (number, episode)]
        other.setdefault((number, episode), []).append(np.mean(np.concatenate(apart)))
    means = {key: (np.mean(own[key]), np.mean(other[key])) for key in own}
    expected = np.mean(list(means.values()), axis=0)
    chosen = result.isel(size=2)
    np.testing.assert_allclose([chosen.own, chosen.other], expected)
    assert float(chosen.advantage) == pytest.approx(expected[0] - expected[1])


def test_counts_by_loops(seeds, result):
    zeros, acting, decades, near, nonfinite, varying = (np.zeros((3, 4, 6), int), np.zeros((3, 4, 6), int), {}, 0, 0, 0)
    for seed in seeds:
        for episode in range(seed.sizes["episode"]):
            for sample in samples_of(seed, episode):
                for i, j in ENTRIES:
                    varying += seed.input_deviation.values[j] > 0
                    nonfinite += seed.input_deviation.values[j] > 0 and is_zero(seed, episode, sample, i, j) is None
                    for size in range(3):
                        moved = relative(seed, episode, sample, size, i, j)
                        if is_zero(seed, episode, sample, i, j) and np.isfinite(moved):
                            zeros[size, i, j] += 1
                            acting[size, i, j] += moved > 1e-9
                            near += size == 1 and 1e-11 < moved < 1e-7
                            power = -20 if moved == 0 else max(-20, int(np.floor(np.log10(moved))))
                            decades[size, power] = decades.get((size, power), 0) + 1
    dims = ("size", "out_dim", "in_dim")
    np.testing.assert_array_equal(result.entry_zeros.transpose(*dims), zeros)
    np.testing.assert_array_equal(result.entry_acting.transpose(*dims), acting)
    counted = {(i, int(result.decade[k])): int(n) for (i, k), n in np.ndenumerate(result.change_count.values) if n}
    assert counted == decades
    assert float(result.near_rounding.isel(size=1)) == pytest.approx(near / zeros[1].sum()) and near > 0
    assert float(result.nonfinite) == pytest.approx(nonfinite / varying) and nonfinite > 0
    assert int(result.steps) == 13 + 8 and int(result.condition_steps.sel(condition="all")) == 21


def test_in_a_linear_system_no_zero_acts_and_the_derivative_says_all():
    rng = np.random.default_rng(0)
    jacobian = rng.choice([0.0, 0.02, 2.0], (3, 5, 4, 6))
    result = summarised(effects(jacobian, linear(jacobian)))
    assert (result.acting.sel(condition=["all", "free"]) == 0).all() and (
        result.reached_high.sel(condition="all") == 0
    ).all()
    assert result.acting.sel(condition=["contact", "limit"]).isnull().all(), "no step is in contact"
    assert (result.error_90 < 1e-12).all()
    np.testing.assert_allclose(result.weak_moved.isel(size=0), result.weak)
    assert (result.own == 1).all() and (result.other < 1).all() and (result.advantage_low > 0).all()


def test_a_mask_that_never_changes_has_no_advantage_to_show():
    jacobian = np.broadcast_to(np.eye(4, 6), (2, 3, 4, 6))
    result = summarised(effects(jacobian, linear(jacobian)))
    assert result.advantage.isnull().all() and (result.acting.sel(condition="all") == 0).all()


def test_a_zero_that_turns_on_at_the_larger_move_in_one_direction():
    """One of the 23 zeros of every step in contact acts at 2, in the negative direction."""
    jacobian = np.zeros((2, 4, 4, 6))
    jacobian[..., 0, 0] = 1.0
    change = linear(jacobian)
    active = np.zeros((2, 4, 2), bool)
    active[:, 1, 0] = True
    change[:, 1, 2, 0, 2, 3] = 1e-3
    result = summarised(effects(jacobian, change, active=active))
    acting = result.acting.sel(size=2.0)
    np.testing.assert_allclose(acting, [1 / 92, 0, 1 / 23, np.nan])
    assert (result.acting.sel(size=0.5, condition="all") == 0) and (result.reached.sel(size=0.5, condition="all") == 0)
    assert result.entry_acting.sel(size=2.0, out_dim="qvel:a", in_dim="qvel:b") == 2 == result.entry_acting.sum()
    assert result.zeros.sel(condition="contact") == 2 * 23 and result.condition_steps.values.tolist() == [8, 6, 2, 0]


def test_alternating_masks_that_are_right():
    """Own masks are always right; of the masks of the other episode, those of the same phase are."""
    zero = np.array([[True, False], [False, True], [True, False], [False, True]])
    everything = np.ones_like(zero)
    own, other = rightly(zero, everything, ~zero, everything, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(own, 1)
    np.testing.assert_array_equal(other, 0.5)
    own, other = rightly(zero, everything, ~zero, everything, np.zeros(4, int))
    np.testing.assert_allclose(other, 1 / 3, err_msg="with one episode, the masks of the three other steps")


def test_masks_that_say_nothing_have_an_advantage_in_about_one_of_twenty_series():
    """200 series of 12 episodes. The interval of a mean of 12 values that resampling gives is a little too narrow."""
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(200):
        shape = (12, 3, 4, 6)
        zero, acts = rng.random(shape) < 0.5, rng.random((1, *shape)) < 0.4
        dims = ("episode", "sample", "out_dim", "in_dim")
        everything = np.ones(shape, bool)
        masks = {"zero": (dims, zero), "finite": (dims, everything)}
        of_moves = {"acts": (("size", *dims), acts), "usable": (("size", *dims), everything[None])}
        (predicted,) = predictions([xr.Dataset({**masks, **of_moves})])
        interval = stratified_mean([predicted.advantage.isel(size=0)], 200, 0.95, 0)
        rejected += bool((interval.low > 0) | (interval.high < 0))
    assert 2 <= rejected <= 22, "1 % to 11 %"


def test_nothing_finite_gives_nothing():
    jacobian = np.full((2, 3, 4, 6), np.nan)
    result = summarised(effects(jacobian, np.full((2, 3, 3, 2, 4, 6), np.nan)))
    for name in ("acting", "reached", "weak", "weak_moved", "error_median", "own", "advantage", "near_rounding"):
        assert result[name].isnull().all(), name
    assert result.nonfinite == 1 and result.zeros.sum() == 0 and result.change_count.sum() == 0
