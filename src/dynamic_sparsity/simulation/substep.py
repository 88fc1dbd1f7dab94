"""One physics step whose derivative passes the constraint solver at its solution, where the solver has reached one."""

from __future__ import annotations

from unittest import mock

import jax
import jax.numpy as jnp
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import IntegratorType, SolverType, forward, math, solver, support
from dynamic_sparsity.simulation.stagewise import rotations


def accelerated(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step up to the accelerations, without its sensors, which the state does not depend on."""
    data = _unconstrained(model, data)
    return solver.solve(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)


def implicit_step(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step, whose derivative passes the constraint solver by the implicit function theorem.

    Values are those of `mjx.step`, but for its sensors.
    """
    data = _unconstrained(model, data)
    data = solved(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)
    data = INTEGRATORS[model.opt.integrator](model, data)
    return data.replace(qacc_warmstart=jax.lax.stop_gradient(data.qacc_warmstart))  # a solution does not depend on it


def exact_step(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's physics step, whose derivative passes the solver at its solution if it converged, else through iterations.

    Values are those of `mjx.step`, but for its sensors (docs/decisions/0012-exact.md).
    """
    with rotations.smooth(), mock.patch.object(solver, "solve", _ended):  # MJX's RK4 solves in four stages
        data = _unconstrained(model, data)
        data = _ended(model, data) if data._impl.efc_J.size else data.replace(qacc=data.qacc_smooth)
        return INTEGRATORS[model.opt.integrator](model, data)


_solve = solver.solve


def _ended(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """What the solver ends with, differentiated as its solution if it converged, else through its iterations."""
    iterated, solution = _solve(model, data), solved(model, data)
    converged = has_converged(model, iterated)
    return jax.tree.map(lambda end, at_solution: jnp.where(converged, at_solution, end), iterated, solution)


def has_converged(model: mjx.Model, data: mjx.Data) -> jax.Array:
    """Whether the solver ended with a gradient below the model's tolerance, measured as MJX does (MuJoCo, `opt.tolerance`).

    MJX's norm takes a gradient of which no element is above 1e-8 for zero, and then runs no iteration. With the integrator
    RK4 this is the solve of the last of its four stages.
    """
    if not data._impl.efc_J.size:
        return jnp.array(True)
    gradient = support.mul_m(model, data, data.qacc) - data.qfrc_smooth - data.qfrc_constraint
    return solver._rescale(model, data, math.norm(gradient)) < model.opt.tolerance


def solved(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    """MJX's constraint forces and accelerations, with derivatives of the solution instead of the iterations.

    The solver minimises a convex cost whose gradient is F(a, θ) = M a - qfrc_smooth - Jᵀ f(J a - aref): a the acceleration,
    f the constraint forces, θ all else (MuJoCo, "Computation", "Constraint model"). Where F vanishes, the implicit function
    theorem gives da = -H⁻¹ ∂F/∂θ dθ, with the Hessian H = ∂F/∂a = M - Jᵀ f' J. A Newton step of no length has this
    derivative: a - H⁻¹ (F(a, θ) - [F(a, θ)]), with a, H and what is in brackets held fixed.
    Where the solver was stopped before F vanished, it is the derivative of a solution that was not reached.
    """
    newton = model.tree_replace({"opt.solver": SolverType.NEWTON})  # the Hessian, whatever solver was used
    fixed = jax.lax.stop_gradient(data)
    acceleration = jax.lax.stop_gradient(_solve(model, fixed).qacc)
    here = solver.Context.create(newton, data.replace(qacc=acceleration), grad=False)
    residual = here.Ma - data.qfrc_smooth - here.qfrc_constraint
    nothing = residual - jax.lax.stop_gradient(residual)
    acceleration = acceleration - _newton_step(newton, fixed, jax.lax.stop_gradient(here), nothing)
    context = solver.Context.create(newton, data.replace(qacc=acceleration), grad=False)
    return data.tree_replace(
        {"qacc": acceleration, "qfrc_constraint": context.qfrc_constraint, "_impl.efc_force": context.efc_force}
    )


def _newton_step(model: mjx.Model, data: mjx.Data, context: solver.Context, residual: jax.Array) -> jax.Array:
    """H⁻¹ residual, with the Hessian of the cost at `context`."""
    context = context.replace(Ma=residual, qfrc_constraint=jnp.zeros_like(residual))
    return solver._update_gradient(model, data.replace(qfrc_smooth=jnp.zeros_like(residual)), context).Mgrad


def _unconstrained(model: mjx.Model, data: mjx.Data) -> mjx.Data:
    for stage in (forward.fwd_position, forward.fwd_velocity, forward.fwd_actuation, forward.fwd_acceleration):
        data = stage(model, data)
    return data


INTEGRATORS = {
    IntegratorType.EULER: forward.euler,
    IntegratorType.IMPLICITFAST: forward.implicit,
    IntegratorType.RK4: forward.rungekutta4,
}
