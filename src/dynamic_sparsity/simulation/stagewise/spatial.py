"""Spatial vectors (Featherstone 2008, "Rigid Body Dynamics Algorithms", chapter 2), component axis first.

A motion is (angular, linear velocity), a force is (torque, force), both about one fixed point of the world, [6, ...].
An inertia has MuJoCo's ten components, [10, ...]: Ixx Iyy Izz Ixy Ixz Iyz, mass times the centre of mass, mass. All
functions broadcast over the axes after the component axis, which keeps the long axes innermost.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Vector = Float[Array, "3 ..."]
Motion = Float[Array, "6 ..."]
Force = Float[Array, "6 ..."]
Inertia = Float[Array, "10 ..."]


def cross(a: Vector, b: Vector) -> Vector:
    """a x b."""
    return jnp.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def motion_cross(v: Motion, m: Motion) -> Motion:
    """v x m: how a motion vector m changes while its body moves with v."""
    return jnp.concatenate([cross(v[:3], m[:3]), cross(v[3:], m[:3]) + cross(v[:3], m[3:])])


def force_cross(v: Motion, f: Force) -> Force:
    """v x* f: how a force vector f changes while its body moves with v."""
    return jnp.concatenate([cross(v[:3], f[:3]) + cross(v[3:], f[3:]), cross(v[:3], f[3:])])


def times(inertia: Inertia, m: Motion) -> Force:
    """I m: the momentum of a motion, or the force of an acceleration."""
    xx, yy, zz, xy, xz, yz = inertia[:6]
    moment, mass = inertia[6:9], inertia[9]
    x, y, z = m[:3]
    rotated = jnp.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z])
    return jnp.concatenate([rotated + cross(moment, m[3:]), mass * m[3:] - cross(moment, m[:3])])


def moved_inertia(inertia: Inertia, shift: Vector) -> Inertia:
    """The same inertia about a new point, from which the old point is at `shift`."""
    moment, mass = inertia[6:9], inertia[9]
    trace = 2 * jnp.sum(moment * shift, 0) + mass * jnp.sum(shift * shift, 0)
    outer = lambda i, j: moment[i] * shift[j] + shift[i] * moment[j] + mass * shift[i] * shift[j]  # noqa: E731
    diagonal = [trace - outer(i, i) for i in range(3)]
    mixed = [-outer(i, j) for i, j in ((0, 1), (0, 2), (1, 2))]
    return jnp.concatenate([inertia[:6] + jnp.stack(diagonal + mixed), moment + mass * shift, mass[None]])


def moved_motion(m: Motion, shift: Vector) -> Motion:
    """The same motion about a new point, from which the old point is at `shift`."""
    return jnp.concatenate([m[:3], m[3:] + cross(shift, m[:3])])


def applied(matrix: Float[Array, "6 6 ..."], m: Motion) -> Force:
    """A 6 x 6 matrix times a motion."""
    return jnp.sum(matrix * m[None], axis=1)


def dots(a: Float[Array, "component n"], b: Float[Array, "component m"]) -> Float[Array, "n m"]:
    """All scalar products of the columns of a and b."""
    return jax.lax.dot_general(a, b, (((0,), (0,)), ((), ())))
