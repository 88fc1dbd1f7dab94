"""Derivative of the constraint solver's iterations, as many as it ran: Newton's method with MJX's line search.

One iteration goes from an acceleration a to a + s p, where p = -H⁻¹ g is the search direction, g = M a - Q - Jᵀ f(x)
the gradient, H = M + Jᵀ K J its Hessian and s the step length that the line search finds along p. With e = M a - Q, x =
J a - aref and all derivatives with respect to the input of the control step,

    dg = de - dJᵀ f - Jᵀ df,              df = -K dx + f d(log D),
    dp = -H⁻¹ (dg + dH p),                dH p = dM p + dJᵀ K J p + Jᵀ (K dJ p + K J p d(log D)),
    ds = ∂s/∂x dx + ∂s/∂(J p) d(J p) + ∂s/∂(log D) d(log D) + ∂s/∂(pᵀ e) d(pᵀ e) + ∂s/∂(pᵀ M p) d(pᵀ M p).

The line search gives one number, the step length. Its derivative uses reverse mode, whose cost does not depend on the
number of inputs. All other terms are products of matrices that the implicit derivative needs as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import DisableBit, math, solver, support
from dynamic_sparsity.simulation.stagewise.constraints import Rows


class Slopes(NamedTuple):
    """Derivatives of an iteration's start with respect to the input of the control step."""

    acceleration: Float[Array, "nv in_dim"]
    balance: Float[Array, "nv in_dim"]
    """Derivative of e = M a - Q."""
    rows: Float[Array, "row in_dim"]
    """Derivative of x = J a - aref."""


class Inputs(NamedTuple):
    """The mass matrix and constraint rows that the solver works on, with their derivatives."""

    mass: Float[Array, "nv nv"]
    rows: Rows
    position: Float[Array, "nv in_dim"]
    inertial: Callable[[Float[Array, " nv"]], Float[Array, "nv nv"]]
    """Maps an acceleration to (dM / dq) times it."""
    log_weight: Float[Array, "row in_dim"]
    """Derivative of log D with respect to the input of the control step."""


def iterated_acceleration(
    model: mjx.Model,
    data: mjx.Data,
    inputs: Inputs,
    balance: Float[Array, "nv in_dim"],
    rows: Float[Array, "row in_dim"],
    warmstart: Float[Array, "nv in_dim"],
) -> Float[Array, "nv in_dim"]:
    """Derivative of the acceleration that the solver's iterations end with.

    `data`: MJX's data after the solver. `balance` and `rows`: derivatives of e and x with that acceleration held fixed.
    `warmstart`: derivative of `qacc_warmstart`. All are with respect to the input of the control step.
    """
    context, slopes = _start(model, data, inputs, balance, rows, warmstart)

    def unfinished(carry: tuple[solver.Context, Slopes]) -> jax.Array:
        reached, improvement = solver._rescale(model, data, math.norm(carry[0].grad)), carry[0].prev_cost - carry[0].cost
        small = (solver._rescale(model, data, improvement) < model.opt.tolerance) | (reached < model.opt.tolerance)
        return (carry[0].solver_niter < model.opt.iterations) & ~small

    def iteration(carry: tuple[solver.Context, Slopes]) -> tuple[solver.Context, Slopes]:
        return _iteration(model, data, inputs, *carry)

    carry = (context, slopes)
    carry = iteration(carry) if model.opt.iterations == 1 else jax.lax.while_loop(unfinished, iteration, carry)
    return carry[1].acceleration


def obstacle(model: mujoco.MjModel) -> str | None:
    """The reason why this module cannot differentiate a model's solver iterations, or None if it can."""
    obstacles = {
        "another solver than Newton's": model.opt.solver != mujoco.mjtSolver.mjSOL_NEWTON,
        "elliptic cones": model.opt.cone != mujoco.mjtCone.mjCONE_PYRAMIDAL,
        "a sparse mass matrix": support.is_sparse(model),
    }
    return next((name for name, present in obstacles.items() if present), None)


def _start(
    model: mjx.Model, data: mjx.Data, inputs: Inputs, balance: jax.Array, rows: jax.Array, warmstart: jax.Array
) -> tuple[solver.Context, Slopes]:
    """The first iteration's context: MJX's warm start, or `qacc_smooth` if its cost is not higher; with derivatives."""
    cost = lambda acceleration: solver.Context.create(model, data.replace(qacc=acceleration), grad=False).cost  # noqa: E731
    warm = jnp.array(False)
    if not model.opt.disableflags & DisableBit.WARMSTART:
        warm = cost(data.qacc_warmstart) < cost(data.qacc_smooth)
    first = jnp.where(warm, data.qacc_warmstart, data.qacc_smooth)
    before = first - data.qacc
    still = balance + inputs.inertial(before) @ inputs.position
    smooth = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(inputs.mass), still)
    acceleration = jnp.where(warm, warmstart, smooth)
    unbalanced = jnp.where(warm, still + inputs.mass @ warmstart, 0)  # without constraints e = 0
    moving = inputs.rows.motion(before) @ inputs.position + data._impl.efc_J @ acceleration
    return solver.Context.create(model, data.replace(qacc=first)), Slopes(acceleration, unbalanced, rows + moving)


def _iteration(
    model: mjx.Model, data: mjx.Data, inputs: Inputs, context: solver.Context, slopes: Slopes
) -> tuple[solver.Context, Slopes]:
    """One iteration of the solver, as MJX does it, and the derivatives after it."""
    matrix, mass, position = data._impl.efc_J, inputs.mass, inputs.position
    search, force, weight = context.search, context.efc_force, data._impl.efc_D * context.active
    reach, resisting = matrix @ search, mass @ search  # J p, M p
    reach_still = inputs.rows.motion(search) @ position
    resisting_still = inputs.inertial(search) @ position
    remaining = force - weight * reach  # the force after a step of length 1
    # dg + dH p without the terms of dp
    right = slopes.balance + resisting_still - inputs.rows.pull(remaining) @ position
    right += matrix.T @ (weight[:, None] * (slopes.rows + reach_still) - remaining[:, None] * inputs.log_weight)
    hessian = mass + (matrix.T * weight) @ matrix
    by_search = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor((hessian + hessian.T) / 2), right)
    by_reach, by_resisting = reach_still + matrix @ by_search, resisting_still + mass @ by_search
    length, by_length = _step_length(model, data, context, reach, search @ resisting)
    balance = context.Ma - data.qfrc_smooth
    by_step = (
        by_length.rows @ slopes.rows
        + by_length.reach @ by_reach
        + by_length.log_weight @ inputs.log_weight
        + by_length.slope * (balance @ by_search + search @ slopes.balance)
        + by_length.curvature * (search @ by_resisting + resisting @ by_search)
    )
    slopes = Slopes(
        slopes.acceleration + jnp.outer(search, by_step) + length * by_search,
        slopes.balance + jnp.outer(resisting, by_step) + length * by_resisting,
        slopes.rows + jnp.outer(reach, by_step) + length * by_reach,
    )
    context = context.replace(
        qacc=context.qacc + length * search, Ma=context.Ma + length * resisting, Jaref=context.Jaref + length * reach
    )
    context = solver._update_gradient(model, data, solver._update_constraint(model, data, context))
    return context.replace(search=-context.Mgrad, solver_niter=context.solver_niter + 1), slopes


class _Line(NamedTuple):
    """The inputs of the line search, or the derivatives of the step length with respect to them."""

    rows: Float[Array, " row"]
    """x = J a - aref."""
    reach: Float[Array, " row"]
    """J p."""
    log_weight: Float[Array, " row"]
    slope: Float[Array, ""]
    """pᵀ (M a - Q)."""
    curvature: Float[Array, ""]
    """pᵀ M p."""


def _step_length(
    model: mjx.Model, data: mjx.Data, context: solver.Context, reach: Float[Array, " row"], curvature: Float[Array, ""]
) -> tuple[Float[Array, ""], _Line]:
    """The step length that MJX's line search finds, and its derivatives.

    MJX's line search solves a problem with one degree of freedom, the step along the search direction. To stop as it
    does in the whole problem, the tolerance is scaled: MJX multiplies it by the length of the direction and the trace
    of M.
    """
    scale = math.norm(context.search) * solver._trace_m(model, data) / jnp.maximum(curvature, mujoco.mjMINVAL)
    short = model.tree_replace({"opt.tolerance": model.opt.tolerance * scale})
    one, zero = jnp.ones(1, reach.dtype), jnp.zeros(1, reach.dtype)

    def length(line: _Line) -> jax.Array:
        along = data.tree_replace(
            {
                "_impl.M": line.curvature[None, None],
                "_impl.efc_J": line.reach[:, None],
                "_impl.efc_D": data._impl.efc_D * jnp.exp(line.log_weight),
                "qfrc_smooth": zero,
            }
        )
        start = context.replace(qacc=zero, search=one, Ma=line.slope[None], Jaref=line.rows)
        return solver._linesearch(short, along, start).qacc[0]

    slope = context.search @ (context.Ma - data.qfrc_smooth)
    at = _Line(context.Jaref, reach, jnp.zeros_like(reach), slope, curvature)
    return jax.value_and_grad(length)(at)
