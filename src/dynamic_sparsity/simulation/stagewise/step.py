"""One physics step and its derivative, to be chained over the substeps of a control step."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from jaxtyping import Array, Float
from mujoco import mjx

from dynamic_sparsity.simulation.mjx_private import (
    DisableBit,
    GainType,
    IntegratorType,
    SolverType,
    derivative,
    forward,
    solver,
    support,
)
from dynamic_sparsity.simulation.stagewise.constraints import Rows, constraint_force
from dynamic_sparsity.simulation.stagewise.forces import forces
from dynamic_sparsity.simulation.stagewise.geometry import Geometry, geometry_tangents, is_curved
from dynamic_sparsity.simulation.stagewise.inertial import Bodies, bodies, inertial_force, inverse_dynamics
from dynamic_sparsity.simulation.stagewise.iterations import Inputs, iterated_acceleration
from dynamic_sparsity.simulation.stagewise.rotations import right_jacobian, turned_by
from dynamic_sparsity.simulation.stagewise.tree import Tree
from dynamic_sparsity.simulation.substep import INTEGRATORS, accelerated, has_converged
from dynamic_sparsity.simulation.tasks import Task


class Tangents(NamedTuple):
    """Derivatives of the state with respect to the input of the control step."""

    position: Float[Array, "nv in_dim"]
    velocity: Float[Array, "nv in_dim"]
    act: Float[Array, "na in_dim"]
    ctrl: Float[Array, "nu in_dim"]
    """Does not change: the control is held constant."""
    warmstart: Float[Array, "nv in_dim"]
    """Derivative of `qacc_warmstart`; zero at the start of the control step, where it is held fixed."""


def first_tangents(model: mujoco.MjModel, dtype: np.dtype) -> Tangents:
    """The tangents at the start of the control step, where the input is (position, velocity, act, ctrl)."""
    widths = (model.nv, model.nv, model.na, model.nu)
    parts = jnp.split(jnp.eye(sum(widths), dtype=dtype), np.cumsum(widths)[:-1])
    return Tangents(*parts, warmstart=jnp.zeros_like(parts[1]))


class StagewiseStep:
    """A physics step that advances tangents by matrix products, for models without an `obstacle`."""

    def __init__(self, task: Task, *, iterations: bool = False) -> None:
        """`iterations`: where the solver has not converged, differentiate its iterations instead of its solution."""
        self._coordinates, self._iterations = task.coordinates, iterations
        self._tree, self._curved = Tree.of(task.model), is_curved(task.model)

    def __call__(self, model: mjx.Model, data: mjx.Data, tangents: Tangents) -> tuple[mjx.Data, Tangents]:
        """The data after the step and the tangents of its state."""
        data = accelerated(model, data)
        curved = geometry_tangents(model, data, self._coordinates) if self._curved else None
        body = bodies(model, data, self._tree)
        acceleration, gradient = self._accelerated(model, data, body, curved, tangents)
        tangents = tangents._replace(warmstart=acceleration)
        if not (model.opt.integrator == IntegratorType.EULER and model.opt.disableflags & DisableBit.EULERDAMP):
            acceleration = self._damped(model, data, body, curved, acceleration, gradient, tangents)
        return INTEGRATORS[model.opt.integrator](model, data), self._advanced(model, data, acceleration, tangents)

    def _accelerated(
        self, model: mjx.Model, data: mjx.Data, body: Bodies, curved: Geometry | None, tangents: Tangents
    ) -> tuple[Float[Array, "nv in_dim"], Float[Array, "nv in_dim"]]:
        """Tangents of the solver's acceleration and of the gradient F that the solver leaves (zero at a solution).

        With F(a, θ) = M a - Q(θ) - Jᵀ f, the implicit function theorem gives da = -H⁻¹ (dF/dθ) dθ at the solver's
        solution a, where H = M + Jᵀ K J (see `substep.solved`).
        """
        inertia = inverse_dynamics(model, data, self._tree, body, data.qacc)
        force = forces(model, data, self._coordinates, curved)
        position, velocity = inertia.by_position - force.by_position, inertia.by_velocity - force.by_velocity
        by_control = force.by_act @ tangents.act + force.by_ctrl @ tangents.ctrl
        balance = position @ tangents.position + velocity @ tangents.velocity - by_control
        mass = support.full_m(model, data)
        if not data._impl.efc_J.size:
            return -_solve(mass, balance), jnp.zeros_like(balance)
        rows = Rows(model, data, self._tree, body, curved)
        newton = model.tree_replace({"opt.solver": SolverType.NEWTON})  # only Newton's context has the Hessian
        constrained = constraint_force(model, data, rows, solver.Context.create(newton, data, grad=False))
        residual = (
            (position - constrained.by_position) @ tangents.position
            + (velocity - constrained.by_velocity) @ tangents.velocity
            - by_control
        )
        hessian = mass + constrained.hessian
        acceleration = -_solve(hessian, residual)
        if not self._iterations:
            return acceleration, jnp.zeros_like(residual)
        inertial = lambda motion: inertial_force(self._tree, body, motion)  # noqa: E731
        inputs = Inputs(mass, rows, tangents.position, inertial, rows.log_weight @ tangents.position)
        reach = rows.by_position(data.qacc) @ tangents.position + rows.by_velocity @ tangents.velocity
        iterated = iterated_acceleration(model, data, inputs, balance, reach, tangents.warmstart)
        converged = has_converged(model, data)
        return jnp.where(converged, acceleration, iterated), jnp.where(converged, 0, residual + hessian @ iterated)

    def _damped(
        self,
        model: mjx.Model,
        data: mjx.Data,
        body: Bodies,
        curved: Geometry | None,
        acceleration: Float[Array, "nv in_dim"],
        gradient: Float[Array, "nv in_dim"],
        tangents: Tangents,
    ) -> Float[Array, "nv in_dim"]:
        """Tangents of the acceleration a' that the integrator uses: (M - h G) a' = Q + Jᵀ f, with implicit damping G.

        From d(Q + Jᵀ f) = dM a + M da - dF follows da' = (M - h G)⁻¹ (dM (a - a') + h dG a' + M da - dF).
        """
        step = model.opt.timestep
        implicit = model.opt.integrator == IntegratorType.IMPLICITFAST
        damping = derivative.deriv_smooth_vel(model, data) if implicit else -jnp.diag(model.dof_damping)
        if damping is None:
            return acceleration
        mass = support.full_m(model, data)
        matrix = mass - step * damping
        used = _solve(matrix, data.qfrc_smooth + data.qfrc_constraint)
        right = inertial_force(self._tree, body, data.qacc - used) @ tangents.position + mass @ acceleration - gradient
        if implicit and (curved is not None or _gains_by_velocity(model)):
            right += step * _damping_tangents(model, data, curved, used, tangents)
        return _solve(matrix, right)

    def _advanced(
        self, model: mjx.Model, data: mjx.Data, acceleration: Float[Array, "nv in_dim"], tangents: Tangents
    ) -> Tangents:
        """Tangents of the next state: v' = v + h a', q' = q moved by h v', and act' by the actuators' own dynamics."""
        step = model.opt.timestep
        velocity = tangents.velocity + step * acceleration
        position = tangents.position + step * velocity
        if self._coordinates.quaternions:
            speed = INTEGRATORS[model.opt.integrator](model, data).qvel
            for _, dof in self._coordinates.quaternions:
                dofs = slice(dof, dof + 3)
                turn = step * speed[dofs]
                turned = turned_by(turn) @ tangents.position[dofs] + step * right_jacobian(turn) @ velocity[dofs]
                position = position.at[dofs].set(turned)
        act = _activation_tangents(model, data, tangents)
        return tangents._replace(position=position, velocity=velocity, act=act)


def obstacle(model: mujoco.MjModel) -> str | None:
    """A part of the model that these stages do not support, or None; such a model is differentiated as a whole."""
    obstacles = {
        "integrator RK4": model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4,
        "wind": model.opt.wind.any(),
        "tendon armature": model.tendon_armature.any(),
        "limits of the actuators' force on a tendon": model.tendon_actfrclimited.any(),
        "gravity compensation by actuators": model.jnt_actgravcomp.any(),
        "no degrees of freedom": model.nv == 0,
    }
    return next((name for name, present in obstacles.items() if present), None)


def _solve(matrix: Float[Array, "nv nv"], right: Float[Array, "nv ..."]) -> Float[Array, "nv ..."]:
    """`matrix`⁻¹ `right`, for a symmetric positive definite matrix."""
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor((matrix + matrix.T) / 2), right)


def _activation_tangents(model: mjx.Model, data: mjx.Data, tangents: Tangents) -> Float[Array, "na in_dim"]:
    """Tangents of the activations after the step."""
    if not model.na:
        return tangents.act

    def activation(act: jax.Array, ctrl: jax.Array) -> jax.Array:
        moved = forward.fwd_actuation(model, data.replace(act=act, ctrl=ctrl))
        return forward._next_activation(model, moved, moved.act_dot)

    by_act, by_ctrl = jax.jacfwd(activation, argnums=(0, 1))(data.act, data.ctrl)
    return by_act @ tangents.act + by_ctrl @ tangents.ctrl


def _gains_by_velocity(model: mjx.Model) -> bool:
    """Whether the implicit integrator's damping changes with control or activation."""
    affine = model.actuator_gaintype == GainType.AFFINE
    return bool(np.asarray(model.actuator_gainprm)[affine, 2].any())


def _damping_tangents(
    model: mjx.Model, data: mjx.Data, curved: Geometry | None, used: Float[Array, " nv"], tangents: Tangents
) -> Float[Array, "nv in_dim"]:
    """dG a' at a fixed acceleration a'."""

    def damped(moment: jax.Array, tendon: jax.Array, act: jax.Array, ctrl: jax.Array) -> jax.Array:
        moved = data.tree_replace({"_impl.actuator_moment": moment, "_impl.ten_J": tendon, "act": act, "ctrl": ctrl})
        return derivative.deriv_smooth_vel(model, moved) @ used

    def along(position: jax.Array, act: jax.Array, ctrl: jax.Array) -> jax.Array:
        parts = (data._impl.actuator_moment, data._impl.ten_J)
        slopes = [jnp.zeros_like(part) for part in parts] if curved is None else [s @ position for s in curved[:2]]
        return jax.jvp(damped, (*parts, data.act, data.ctrl), (*slopes, act, ctrl))[1]

    return jax.vmap(along, in_axes=1, out_axes=1)(tangents.position, tangents.act, tangents.ctrl)
