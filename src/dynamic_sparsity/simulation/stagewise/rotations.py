"""Derivatives of rotations that are correct at rest as well.

MJX computes an axis and an angle, and treats rotations below 1e-8 as zero, so automatic differentiation finds no slope
there (`mujoco.mjx._src.math.norm`). The closed forms here, with series of their coefficients near zero, have no such
gap. Coordinates and formulas are those of Sola, Deray & Atchuthan 2018, arXiv 1812.01537, section 4.1 and appendix B.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynamic_sparsity.simulation.mjx_private import math

_SMALL = 1e-4
"""Squared angle below which the coefficients come from their series; the first omitted terms are below 1e-16 there."""


def turned_by(rotation: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """Derivative of q ∘ exp(rotation) with respect to q, in rotation coordinates: exp(-rotation) as a matrix."""
    hat, square = _hat(rotation), rotation @ rotation
    sine, cosine, _, _ = _coefficients(square)
    return jnp.eye(3, dtype=rotation.dtype) - sine * hat + cosine * hat @ hat


def right_jacobian(rotation: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """Derivative of exp(rotation) with respect to `rotation`, in the result's rotation coordinates; 1 at rest."""
    hat, square = _hat(rotation), rotation @ rotation
    _, cosine, cubic, _ = _coefficients(square)
    return jnp.eye(3, dtype=rotation.dtype) - cosine * hat + cubic * hat @ hat


def right_jacobian_inverse(rotation: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """Derivative of log q with respect to q's rotation coordinates, at log q = `rotation`, below a half turn."""
    hat, square = _hat(rotation), rotation @ rotation
    *_, inverse = _coefficients(square)
    return jnp.eye(3, dtype=rotation.dtype) + hat / 2 + inverse * hat @ hat


@contextlib.contextmanager
def smooth() -> Generator[None, None, None]:
    """Code traced in this block differentiates MJX's rotations correctly at rest, too; their values do not change."""
    with mock.patch.multiple(math, quat_integrate=_integrated, quat_sub=_subtracted):
        yield


_quat_integrate, _quat_sub = math.quat_integrate, math.quat_sub


@jax.custom_jvp
def _integrated(quaternion: Float[Array, " 4"], speed: Float[Array, " 3"], step: jax.Array) -> Float[Array, " 4"]:
    return _quat_integrate(quaternion, speed, step)


@_integrated.defjvp
def _integrated_jvp(at: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    quaternion, speed, step = at
    after = _quat_integrate(quaternion, speed, step)
    turn = step * speed
    moved = turned_by(turn) @ _coordinates(quaternion, tangents[0])
    moved += right_jacobian(turn) @ (step * tangents[1] + tangents[2] * speed)
    return after, math.quat_mul(after, jnp.concatenate([jnp.zeros(1, turn.dtype), moved / 2]))


@jax.custom_jvp
def _subtracted(quaternion: Float[Array, " 4"], origin: Float[Array, " 4"]) -> Float[Array, " 3"]:
    return _quat_sub(quaternion, origin)


@_subtracted.defjvp
def _subtracted_jvp(at: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    quaternion, origin = at
    turn = _quat_sub(quaternion, origin)
    moved = _coordinates(quaternion, tangents[0]) - turned_by(turn) @ _coordinates(origin, tangents[1])
    return turn, right_jacobian_inverse(turn) @ moved


def _coordinates(quaternion: Float[Array, " 4"], tangent: Float[Array, " 4"]) -> Float[Array, " 3"]:
    """The rotation coordinates of a quaternion's tangent."""
    return 2 * math.quat_mul(math.quat_inv(quaternion), tangent)[1:] / jnp.sum(quaternion**2)


def _hat(vector: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """The matrix of the cross product with `vector`."""
    x, y, z = vector
    zero = jnp.zeros_like(x)
    return jnp.stack([jnp.stack(row) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))])


def _coefficients(square: Float[Array, ""]) -> tuple[Float[Array, ""], ...]:
    """sin t / t, (1 - cos t) / t², (t - sin t) / t³ and 1 / t² - (1 + cos t) / (2 t sin t), given t² (`square`)."""
    small = square < _SMALL
    away = jnp.where(small, 1.0, square)
    angle = jnp.sqrt(away)
    sine, versine = jnp.sin(angle), 2 * jnp.sin(angle / 2) ** 2
    exact = (
        sine / angle,
        versine / away,
        (angle - sine) / (away * angle),
        1 / away - (2 - versine) / (2 * angle * sine),
    )
    series = (
        1 - square / 6 * (1 - square / 20 * (1 - square / 42)),
        (1 - square / 12 * (1 - square / 30)) / 2,
        (1 - square / 20 * (1 - square / 42)) / 6,
        (1 + square / 60 * (1 + square / 42)) / 12,
    )
    return tuple(jnp.where(small, near, far) for near, far in zip(series, exact, strict=True))
