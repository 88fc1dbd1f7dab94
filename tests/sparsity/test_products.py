"""Products of Jacobians against plain loops over paths, and on systems whose products are known."""

import itertools

import numpy as np
import pytest

from dynamic_sparsity.sparsity import products

STATES = np.arange(3)


def episode(seed, steps=7, zeros=0.7):
    """Jacobians [time, 3, 5] of which a share is zero; the last two columns are controls."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, 3, 5)) * (rng.random((steps, 3, 5)) > zeros)


def slow_product(jacobian, steps):
    """The product of the factors of these steps, entry by entry as a sum over all paths, and whether a path is open."""
    last, paths = len(steps) - 1, np.zeros((3, 5), bool)
    total = np.zeros((3, 5))
    for row, column in itertools.product(range(3), range(5)):
        for inner in itertools.product(range(3), repeat=last):
            nodes = [column, *inner, row]
            factors = [jacobian[step][nodes[i + 1], nodes[i]] for i, step in enumerate(steps)]
            total[row, column] += np.prod(factors)
            paths[row, column] |= all(factor != 0 for factor in factors)
    return total, ~paths


def counted(jacobian, steps, threshold=1e-12):
    finite = np.isfinite(jacobian)
    zero = np.abs(jacobian) < threshold
    return (
        products.by_structure(zero, finite, STATES, steps),
        products.by_value(jacobian, threshold, STATES, steps),
    )


@pytest.mark.parametrize("seed", range(4))
def test_products_are_sums_over_paths(seed):
    jacobian = episode(seed)
    starts = np.array([0, 2, 4])
    steps = products.consecutive(starts, 4)
    structure, value = counted(jacobian, steps)
    for k in range(4):
        inside = [row[: k + 1] for row in steps if row[k] < 7]
        assert structure.alive[k] == value.alive[k] == len(inside)
        slow = [slow_product(jacobian, row) for row in inside]
        np.testing.assert_array_equal(structure.zero[k], sum(closed.astype(int) for _, closed in slow))
        np.testing.assert_array_equal(value.zero[k], sum((np.abs(total) < 1e-12).astype(int) for total, _ in slow))
        first = sum((jacobian[row[0]] == 0).astype(int) for row in inside)
        np.testing.assert_array_equal(structure.first[k], first)


def test_one_factor_is_the_mask_itself():
    jacobian = episode(5)
    for counts in counted(jacobian, products.consecutive(np.arange(7), 1)):
        np.testing.assert_array_equal(counts.zero[0], (jacobian == 0).sum(0))
        np.testing.assert_array_equal(counts.zero, counts.first)


def chain(steps, links, columns=5):
    """Each variable depends on itself and the one before it; there are no controls."""
    matrix = np.eye(columns) + np.diag(np.ones(columns - 1), -1) * links
    return np.broadcast_to(matrix, (steps, columns, columns)).copy()


def test_a_chain_fills_one_diagonal_per_step_and_a_block_diagonal_stays_one():
    steps = products.consecutive(np.array([0, 1]), 6)
    filled = counted_of(chain(8, links=1.0), steps)
    for k in range(6):
        expected = ~np.tril(np.triu(np.ones((5, 5), bool), -(k + 1)))
        np.testing.assert_array_equal(filled.zero[k], 2 * expected)
    separate = np.kron(np.eye(2), np.ones((2, 2)))
    kept = counted_of(np.broadcast_to(separate, (8, 4, 4)), steps)
    np.testing.assert_array_equal(kept.zero, np.broadcast_to(2 * (separate == 0), (6, 4, 4)))


def counted_of(jacobian, steps):
    states = np.arange(jacobian.shape[1])
    return products.by_structure(jacobian == 0, np.isfinite(jacobian), states, steps)


def test_values_can_cancel_or_fade_where_structure_remains():
    rotation = np.array([[0.0, 1.0], [-1.0, 0.0]])
    opposed = np.stack([np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, -1.0], [0.0, 1.0]])])
    for jacobian in (opposed, np.stack([1e-7 * rotation, 1e-7 * np.ones((2, 2))])):
        steps, states = products.consecutive(np.array([0]), 2), np.arange(2)
        structure = products.by_structure(jacobian == 0, np.isfinite(jacobian), states, steps)
        value = products.by_value(jacobian, 1e-12, states, steps)
        assert value.zero[1].sum() > structure.zero[1].sum()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_step_that_is_not_finite_ends_products_unless_only_controls_are_touched(broken):
    jacobian = episode(1, steps=6)
    jacobian[3, 1, 2] = broken
    for counts in counted(jacobian, products.consecutive(np.array([0, 2, 3]), 3)):
        assert counts.alive.tolist() == [2, 1, 1]
    jacobian[3] = 1.0
    jacobian[3, 1, 4] = broken
    for counts in counted(jacobian, products.consecutive(np.array([0, 2, 3]), 3)):
        assert counts.alive.tolist() == [2, 2, 2]


def test_a_product_that_overflows_ends():
    jacobian = np.full((4, 1, 1), 1e200)
    value = products.by_value(jacobian, 1e-12, np.arange(1), products.consecutive(np.array([0]), 3))
    assert value.alive.tolist() == [1, 0, 0] and value.zero.sum() == 0


def test_start_steps_leave_room_and_are_spread():
    assert products.start_steps(1000, 101, 4).tolist() == [112, 337, 562, 787]
    assert products.start_steps(1000, 901, 100).tolist() == list(range(100)), "each step once"
    assert products.start_steps(100, 100, 4).tolist() == [0]
    assert products.start_steps(5, 100, 3).tolist() == [0, 2, 4]
    assert products.start_steps(0, 3, 4).size == 0


@pytest.mark.parametrize(("length", "longest"), [(9, 4), (5, 8), (1, 2)])
def test_shuffled_steps_are_of_the_episode_without_repeats_and_as_many(length, longest):
    starts = products.start_steps(length, longest, 6)
    steps = products.shuffled(length, starts, longest, np.random.default_rng(0))
    straight = products.consecutive(starts, longest)
    np.testing.assert_array_equal(steps < length, straight < length)
    for row in steps:
        inside = row[row < length].tolist()
        assert len(set(inside)) == len(inside)
    np.testing.assert_array_equal(steps[:, 0], starts)
    again = products.shuffled(length, starts, longest, np.random.default_rng(1))
    assert length < 5 or not np.array_equal(steps, again)


def test_an_episode_without_steps_has_no_products():
    none = np.zeros((0, 3, 5))
    starts = products.start_steps(0, 3, 4)
    for steps in (products.consecutive(starts, 3), products.shuffled(0, starts, 3, np.random.default_rng(0))):
        for counts in counted(none, steps):
            assert counts.alive.tolist() == [0, 0, 0] and counts.zero.shape == (3, 3, 5)


def test_times_in_random_order_give_no_other_zeros_where_times_do_not_matter():
    """Independent patterns: the products of consecutive and of shuffled steps have equally many zeros."""
    rng = np.random.default_rng(3)
    differences = []
    for _ in range(200):
        zero = rng.random((30, 3, 5)) < 0.6
        starts = products.start_steps(30, 5, 8)
        both = [
            products.by_structure(zero, np.ones_like(zero), STATES, steps).zero[2].sum()
            for steps in (products.consecutive(starts, 5), products.shuffled(30, starts, 5, rng))
        ]
        differences.append(both[0] - both[1])
    assert abs(np.mean(differences)) < 3 * np.std(differences) / np.sqrt(200)
