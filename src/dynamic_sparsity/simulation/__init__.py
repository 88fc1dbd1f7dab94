"""Rollouts of MuJoCo Playground tasks and the Jacobians of their transitions (jax)."""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):  # MJX prints that warp is missing; `runtime` chose the back end already
    import mujoco.mjx  # noqa: F401
