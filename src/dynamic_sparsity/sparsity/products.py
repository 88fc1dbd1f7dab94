"""Zeros of the products of the Jacobians of consecutive steps: which inputs a state k steps later depends on.

With J_t = [A_t B_t] and t the start step, the state k steps later has the derivative A_{t+k-1} ... A_{t+1} J_t with
respect to the state and the control at step t, by the chain rule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamic_sparsity.definitions.zero import below


class Products(NamedTuple):
    """Counts over the start steps of one episode, for 1 ... K factors; dims [K, row, column] but for `alive`."""

    alive: np.ndarray
    """[K] Number of products whose factors all lie in the episode and are finite."""
    zero: np.ndarray
    """How many of these products are zero."""
    first: np.ndarray
    """How many of the first factors of these products are zero."""

    @classmethod
    def stacked(cls, *counts: Products) -> Products:
        """Several counts side by side, along a new first axis."""
        return cls(*map(np.stack, zip(*counts, strict=True)))


def start_steps(length: int, longest: int, number: int) -> np.ndarray:
    """At most `number` evenly spaced start steps, from which `longest` steps lie in the episode if it is so long.

    They are the middles of equal parts of the episode, so that its first step, which may be special, is none of them
    unless the parts are of one step.
    """
    places = max(length - longest + 1, 0) or length
    return np.unique(((np.arange(number) + 0.5) * places / number).astype(np.intp))[:places]


def consecutive(starts: np.ndarray, longest: int) -> np.ndarray:
    """[start, K] The steps of the factors: those from each start step on."""
    return starts[:, None] + np.arange(longest)


def shuffled(length: int, starts: np.ndarray, longest: int, rng: np.random.Generator) -> np.ndarray:
    """[start, K] Each start step, then other steps of the episode in random order, each at most once.

    As many steps lie in the episode as of `consecutive`.
    """
    steps = consecutive(starts, longest)
    if not len(starts):
        return steps
    priority = rng.random((len(starts), length))
    priority[np.arange(len(starts)), starts] = -1.0
    order = np.argsort(priority, axis=1)
    return np.where(steps < length, order[:, np.minimum(np.arange(longest), length - 1)], length)


def by_structure(zero: np.ndarray, finite: np.ndarray, states: np.ndarray, steps: np.ndarray) -> Products:
    """Zeros by structure: an entry is zero if every path through the factors' non-zero entries is broken.

    `zero`, `finite`: masks of one episode [time, row, column]; `states`: the columns of the state, in the order of the
    rows; `steps`: [start, K] (`consecutive`, `shuffled`).
    """
    factors = (~zero & finite).astype(np.float32)
    links, product = factors[:, :, states], _at(factors, steps[:, 0])
    alive = _alive(finite, states, steps)
    first = product == 0
    counts = [_counted(alive[:, 0], first, first)]
    for k in range(1, steps.shape[1]):
        product = (_at(links, steps[:, k]) @ product > 0).astype(np.float32)
        counts.append(_counted(alive[:, k], product == 0, first))
    return Products(*map(np.array, zip(*counts, strict=True)))


def by_value(jacobian: np.ndarray, threshold: float, states: np.ndarray, steps: np.ndarray) -> Products:
    """Zeros by value: entries of the product whose magnitude is below `threshold`.

    `jacobian`: one episode [time, row, column]. A product that overflows ends there.
    """
    finite = np.isfinite(jacobian)
    factors = np.where(finite, jacobian, 0.0)
    links, product = factors[:, :, states], _at(factors, steps[:, 0])
    alive = _alive(finite, states, steps)
    first = below(product, threshold)
    counts = [_counted(alive[:, 0], first, first)]
    overflown = np.zeros(len(steps), bool)
    for k in range(1, steps.shape[1]):
        with np.errstate(over="ignore", invalid="ignore"):
            product = _at(links, steps[:, k]) @ product
        overflown |= ~np.isfinite(product).all((1, 2))
        product[overflown] = 0.0
        counts.append(_counted(alive[:, k] & ~overflown, below(product, threshold), first))
    return Products(*map(np.array, zip(*counts, strict=True)))


def _at(factors: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The factors of these steps; steps beyond the episode get its last one, and `_alive` ends their products."""
    return factors[np.minimum(steps, len(factors) - 1)]


def _alive(finite: np.ndarray, states: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """[start, K] Whether all factors up to this one lie in the episode and are finite."""
    of_states, of_all = (np.all(entries, axis=(1, 2)).reshape(-1) for entries in (finite[:, :, states], finite))
    usable = _at(of_states, steps) & (steps < len(finite))
    usable[:, 0] &= _at(of_all, steps[:, 0])
    return np.logical_and.accumulate(usable, axis=1)


def _counted(alive: np.ndarray, zero: np.ndarray, first: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    return int(alive.sum()), zero[alive].sum(0, dtype=np.int32), first[alive].sum(0, dtype=np.int32)
