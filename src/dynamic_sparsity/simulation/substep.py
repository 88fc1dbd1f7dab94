"""Physics steps that differentiate the constraint solver's solution, or its iterations where it has not converged."""

from __future__ import annotations

from unittest import mock

import jax
import jax.numpy as jnp
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import IntegratorType, SolverType, forward, math, solver, support
from dynamic_sparsity.simulation.stagewise import rotations


def accelerated(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step up to the accelerations, without the sensors, on which the state does not depend."""
    data = _unconstrained(model, data)
    return solver.solve(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)


def implicit_step(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step, with the constraint solver differentiated by the implicit function theorem.

    Its values are those of `mjx.step`, except for the sensors, which it leaves out.
    """
    data = _unconstrained(model, data)
    data = solved(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)
    data = INTEGRATORS[model.opt.integrator](model, data)
    return data.replace(qacc_warmstart=jax.lax.stop_gradient(data.qacc_warmstart))  # a solution does not depend on it


def exact_step(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step; differentiates the solver's solution if the solver converged, and its iterations otherwise.

    Its values are those of `mjx.step`, except for the sensors, which it leaves out (docs/decisions/0012-exact.md).
    """
    with rotations.smooth(), mock.patch.object(solver, "solve", _ended):  # MJX's RK4 solves in four stages
        data = _unconstrained(model, data)
        data = _ended(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)
        return INTEGRATORS[model.opt.integrator](model, data)


_solve = solver.solve


def _ended(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """The solver's result, differentiated as a solution if the solver converged, through its iterations otherwise."""
    iterated, solution = _solve(model, data), solved(model, data)
    converged = has_converged(model, iterated)
    return jax.tree.map(lambda iterate, at_solution: jnp.where(converged, at_solution, iterate), iterated, solution)


def has_converged(model: mjx.Model, data: mjx.Data) -> jax.Array:
    """Whether the solver's final gradient is below the model's tolerance, measured as in MJX (MuJoCo, `opt.tolerance`).

    MJX's norm treats a gradient with no element above 1e-8 as zero; MJX then runs no iteration. With the integrator RK4
    the answer is about the last of its four stages.
    """
    if not data._impl.efc_J.size:
        return jnp.array(True)
    gradient = support.mul_m(model, data, data.qacc) - data.qfrc_smooth - data.qfrc_constraint
    return solver._rescale(model, data, math.norm(gradient)) < model.opt.tolerance


def solved(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's constraint forces and accelerations, with derivatives of the solution instead of the iterations.

    The solver minimises a convex cost whose gradient is F(a, θ) = M a - qfrc_smooth - Jᵀ f(J a - aref), where a is the
    acceleration, f the constraint forces and θ everything else (MuJoCo, "Computation", "Constraint model"). Where F is
    zero, the implicit function theorem gives da = -H⁻¹ ∂F/∂θ dθ, with the Hessian H = ∂F/∂a = M - Jᵀ f' J. A Newton
    step of length zero has this derivative: a - H⁻¹ (F(a, θ) - [F(a, θ)]), with a, H and the term in brackets held
    fixed. If the solver stopped before F was zero, the result is the derivative of a solution that it did not reach.
    """
    newton = model.tree_replace({"opt.solver": SolverType.NEWTON})  # only Newton's context has the Hessian
    fixed = jax.lax.stop_gradient(data)
    acceleration = jax.lax.stop_gradient(_solve(model, fixed).qacc)
    fixed_context = solver.Context.create(newton, data.replace(qacc=acceleration), grad=False)
    residual = fixed_context.Ma - data.qfrc_smooth - fixed_context.qfrc_constraint
    zero_residual = residual - jax.lax.stop_gradient(residual)
    acceleration = acceleration - _newton_step(newton, fixed, jax.lax.stop_gradient(fixed_context), zero_residual)
    context = solver.Context.create(newton, data.replace(qacc=acceleration), grad=False)
    return data.tree_replace(
        {"qacc": acceleration, "qfrc_constraint": context.qfrc_constraint, "_impl.efc_force": context.efc_force}
    )


def _newton_step(model: mjx.Model, data: mjx.Data, context: solver.Context, residual: jax.Array) -> jax.Array:
    """H⁻¹ residual, with the Hessian of the cost at `context`."""
    context = context.replace(Ma=residual, qfrc_constraint=jnp.zeros_like(residual))
    return solver._update_gradient(model, data.replace(qfrc_smooth=jnp.zeros_like(residual)), context).Mgrad


def _unconstrained(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step up to the accelerations without constraints."""
    for stage in (forward.fwd_position, forward.fwd_velocity, forward.fwd_actuation, forward.fwd_acceleration):
        data = stage(model, data)
    return data


INTEGRATORS = {
    IntegratorType.EULER: forward.euler,
    IntegratorType.IMPLICITFAST: forward.implicit,
    IntegratorType.RK4: forward.rungekutta4,
}
