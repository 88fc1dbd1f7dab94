"""Rollouts of MuJoCo Playground tasks and the Jacobians of their transitions (jax)."""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):  # it reports that warp is missing, which `runtime` has seen to
    import mujoco.mjx  # noqa: F401
